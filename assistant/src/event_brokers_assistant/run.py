"""`event-brokers run`: the assistant as an HTTP server."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import click
import uvicorn

from event_brokers.cli.arguments import endpoints_option, takes_output
from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.cli.output import Output
from event_brokers.cli.stop_signals import StopSignals
from event_brokers_assistant.arguments import (
    end,
    introduce,
    model_option,
    open_assistant,
    timeout_option,
)
from event_brokers_assistant.server import BODY_BYTES, Access, application

_FINISH_SECONDS = 30  # that conversations have for their answers when the server ends
_WAITING = 2048  # connections that the system keeps for us


@click.command("run")
@model_option
@endpoints_option
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=5005, show_default=True,
              metavar="PORT", help="Where to listen; 0 takes a free one.")  # fmt: skip
@click.option("-i", "--interface", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="Which address to listen at; 0.0.0.0 is all of this machine.")  # fmt: skip
@click.option("--auth-token", envvar="EVENT_BROKERS_AUTH_TOKEN", metavar="TOKEN",
              help="What the API wants as ?token=; as in Rasa, the webhook wants none. "
              "EVENT_BROKERS_AUTH_TOKEN keeps it out of the list of processes.")  # fmt: skip
@click.option("--cors", multiple=True, metavar="ORIGIN",
              help="Origin of web pages that may call the API; * is any.")  # fmt: skip
@click.option("--body-limit", type=click.IntRange(min=1), default=BODY_BYTES, show_default=True,
              metavar="BYTES", help="The most that a request may send.")  # fmt: skip
@timeout_option
@takes_output
def command(  # noqa: PLR0913, PLR0917 - an argument for each option
    output: Output,
    model: str | None,
    endpoints_file: str,
    port: int,
    interface: str,
    auth_token: str | None,
    cors: Sequence[str],
    body_limit: int,
    timeout: float,
) -> int:
    """Serve the assistant over Rasa's HTTP API, and stream every event of its conversations."""
    with StopSignals(), _listen(interface, port) as listener:
        assistant = open_assistant(output, endpoints_file, model)
        introduce(output, assistant)
        output.secrets += [auth_token] if auth_token else []
        announce = output.warn if output.as_json else output.say
        announce(f"conversations are kept {assistant.store_name}")
        announce(f"listening at {_url(listener)}")
        access = Access(auth_token, cors, body_limit)
        try:
            _serve(uvicorn.Config(
                application(assistant, access), lifespan="on", ws="none", log_config=None,
                access_log=False, server_header=False,
                timeout_graceful_shutdown=_FINISH_SECONDS,
            ), listener)  # fmt: skip
        finally:
            code = end(output, assistant, timeout)
    return code


def _listen(interface: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    # asyncio turns off the delay of small packets only where the protocol was named
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((interface, port))
        listener.listen(_WAITING)
    except OSError as error:
        listener.close()
        reason = (error.strerror or str(error)).lower()
        raise CommandFailed(
            f"--port: cannot listen at {interface}, port {port}: {reason}; name another",
            ExitCode.EX_UNAVAILABLE,
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _serve(config: uvicorn.Config, listener: socket.socket) -> None:
    uvicorn.Server(config).run(sockets=[listener])
