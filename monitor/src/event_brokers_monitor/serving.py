"""Serves the page of a spool until a signal comes."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from event_brokers import endpoints
from event_brokers.cli import listening
from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.cli.output import Output
from event_brokers.cli.stop_signals import StopSignals
from event_brokers_monitor.access import Access
from event_brokers_monitor.server import page_over

_MOST_CONNECTIONS = 200
_FINISH_SECONDS = 1  # that streams have when the server ends: the page asks again by itself


@dataclass(frozen=True)
class Asked:
    """What a command line asks for.

    Attributes:
        endpoints_file: names the spool.
        interface: an address of this machine to listen at.
        port: 0 takes a free one.
        token: what the page asks for; None lets this machine in, and needs an address of its own.
        shows_bodies: whether bodies of events are shown.
    """

    endpoints_file: str
    interface: str
    port: int
    token: str | None = field(repr=False)
    shows_bodies: bool


def serve(output: Output, asked: Asked) -> int:
    """Serve, and return the code to end with.

    Parameters:
        output: gets a line when it listens.
        asked: what the command line asks for.

    Raises:
        ConfigurationError: the file cannot be used, or names no spool.
        CommandFailed: it cannot listen, or may not without a token.
    """
    settings = endpoints.read(asked.endpoints_file)
    output.secrets = [*settings.secrets(), *([asked.token] if asked.token else [])]
    page = page_over([settings], Access(asked.token), asked.shows_bodies)
    with StopSignals() as signals, listening.listen(asked.interface, asked.port) as listener:
        if asked.token is None and not listening.is_loopback(listener):
            raise CommandFailed(
                f"--interface: whoever reaches {asked.interface} could read events and drop them; "
                "give --auth-token",
                ExitCode.EX_USAGE,
            )
        announce = output.warn if output.as_json else output.say
        announce(f"the page is at {listening.url(listener)}/")
        _run(page, listener, signals)
    return ExitCode.EX_OK if signals.received is None else 128 + signals.received


def _run(app: Any, listener: socket.socket, signals: StopSignals) -> None:
    config = uvicorn.Config(
        app, lifespan="on", ws="none", loop="asyncio", log_config=None, access_log=False,
        server_header=False, limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_FINISH_SECONDS,
    )  # fmt: skip
    _Server(config, signals).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, signals: StopSignals) -> None:
        super().__init__(config)
        self._signals = signals

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._signals.received is not None:
            self.should_exit = True  # from here on the server notes signals itself
