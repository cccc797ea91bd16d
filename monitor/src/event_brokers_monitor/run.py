"""`event-brokers monitor`: the live page of a spool, whoever delivers its events."""

from __future__ import annotations

import os
import socket
from typing import Any

import click
import uvicorn

from event_brokers import ConfigurationError, endpoints
from event_brokers.cli import listening
from event_brokers.cli.arguments import endpoints_option, takes_output
from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.cli.output import Output
from event_brokers.cli.stop_signals import StopSignals
from event_brokers.endpoints import Settings
from event_brokers_monitor.access import Access
from event_brokers_monitor.application import page_over

_TOKEN = "EVENT_BROKERS_AUTH_TOKEN"
_MOST_CONNECTIONS = 200
_FINISH_SECONDS = 1  # that streams have when the server ends: the page asks again by itself


def _token(_context: click.Context, _option: click.Parameter, given: str | None) -> str | None:
    # click takes a variable that is empty for one that is not set, and would let everybody in
    token = os.environ.get(_TOKEN) if given is None else given
    if token is not None and not token.strip():
        raise CommandFailed(
            f"--auth-token: is empty; give a token, or unset {_TOKEN}", ExitCode.EX_USAGE
        )
    return token


@click.command("monitor")
@endpoints_option
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=8090, show_default=True,
              metavar="PORT", help="Where to listen; 0 takes a free one.")  # fmt: skip
@click.option("-i", "--interface", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="Which address to listen at; another one needs --auth-token.")  # fmt: skip
@click.option("--auth-token", callback=_token, metavar="TOKEN",
              help="What the page asks for, and the header authorization gives. "
              "EVENT_BROKERS_AUTH_TOKEN keeps it out of the list of processes.")  # fmt: skip
@click.option("--show-bodies", is_flag=True,
              help="Show bodies of events, which are conversations.")  # fmt: skip
@takes_output
def command(  # noqa: PLR0913, PLR0917 - an argument for each option
    output: Output,
    endpoints_file: str,
    port: int,
    interface: str,
    auth_token: str | None,
    show_bodies: bool,
) -> int:
    """Serve a page that shows where events are, and what became of dead letters; Ctrl-C ends it."""
    settings = _settings(endpoints_file)
    output.secrets = [*settings.secrets(), *([auth_token] if auth_token else [])]
    with StopSignals() as signals, listening.listen(interface, port) as listener:
        if auth_token is None and not listening.is_loopback(listener):
            raise CommandFailed(
                f"--interface: whoever reaches {interface} could read events and drop them; give "
                "--auth-token",
                ExitCode.EX_USAGE,
            )
        announce = output.warn if output.as_json else output.say
        announce(f"the page is at {listening.url(listener)}/")
        _serve(page_over([settings], Access(auth_token), show_bodies), listener, signals)
    return 128 + (signals.received or 0) if signals.received else ExitCode.EX_OK


def _settings(endpoints_file: str) -> Settings:
    settings = endpoints.read(endpoints_file)
    if settings.delivery.spool is None:
        raise ConfigurationError(
            "event_broker.delivery.spool: events wait in memory, which no other process can see; "
            "name a folder to keep them in, or mount event_brokers_monitor.application() in the "
            "process that publishes"
        )
    return settings


def _serve(app: Any, listener: socket.socket, signals: StopSignals) -> None:
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
