"""Serves the assistant until a signal comes, and says what became of its events."""

from __future__ import annotations

from dataclasses import dataclass

from event_brokers.cli import listening
from event_brokers.cli.output import Output
from event_brokers.cli.stop_signals import StopSignals
from event_brokers_assistant import http_server, session
from event_brokers_assistant.access import Access
from event_brokers_assistant.connections import Connections
from event_brokers_assistant.server import application


@dataclass(frozen=True)
class Asked:
    """What a command line asks for.

    Attributes:
        endpoints_file: as given, or the default, which may be missing.
        model: as given; None for the echo bot.
        interface: an address of this machine to listen at.
        port: 0 takes a free one.
        access: who may call what.
        max_connections: how many may be open at once; None where nobody has said.
        request_timeout: seconds that a request may take to arrive.
        timeout: seconds that the end waits for delivery.
    """

    endpoints_file: str
    model: str | None
    interface: str
    port: int
    access: Access
    max_connections: int | None
    request_timeout: float
    timeout: float


def serve(output: Output, asked: Asked) -> int:
    """Serve, and return the code to end with.

    Parameters:
        output: gets a line when it listens, and the counts at the end.
        asked: what the command line asks for.

    Raises:
        ConfigurationError: the file cannot be used.
        CommandFailed: it cannot listen, or the assistant cannot be opened.
    """
    limit = http_server.connection_limit(asked.max_connections)
    connections = Connections(limit, asked.request_timeout)
    token = asked.access.token
    with StopSignals() as signals, listening.listen(asked.interface, asked.port) as listener:
        assistant = session.open_assistant(output, asked.endpoints_file, asked.model)
        session.introduce(output, assistant)
        output.secrets += [token] if token else []
        if token is None and not listening.is_loopback(listener):
            output.warn(
                f"--interface: whoever reaches {asked.interface} can read and change every "
                "conversation; give --auth-token"
            )
        announce = output.warn if output.as_json else output.say
        announce(f"conversations are kept {assistant.store_name}")
        announce(f"listening at {listening.url(listener)}")
        try:
            http_server.serve(application(assistant, asked.access), listener, connections, signals)
        finally:
            code = session.end(output, assistant, asked.timeout)
    return code
