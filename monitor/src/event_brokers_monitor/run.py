"""`event-brokers monitor`: the live page of a spool, whoever delivers its events."""

from __future__ import annotations

import click

from event_brokers.cli.arguments import auth_token_option, endpoints_option, takes_output
from event_brokers.cli.output import Output


@click.command("monitor")
@endpoints_option
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=8090, show_default=True,
              metavar="PORT", help="Where to listen; 0 takes a free one.")  # fmt: skip
@click.option("-i", "--interface", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="Which address to listen at; another one needs --auth-token.")  # fmt: skip
@auth_token_option("What the page asks for, and the header authorization gives.")
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
