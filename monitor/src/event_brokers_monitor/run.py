"""`event-brokers monitor`: the live page of a spool, whoever delivers its events."""

from __future__ import annotations

import os

import click

from event_brokers.cli.arguments import endpoints_option, takes_output
from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.cli.output import Output

_TOKEN = "EVENT_BROKERS_AUTH_TOKEN"


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
    from event_brokers_monitor import serving  # noqa: PLC0415 - a list of commands loads this

    asked = serving.Asked(endpoints_file, interface, port, auth_token, show_bodies)
    return serving.serve(output, asked)
