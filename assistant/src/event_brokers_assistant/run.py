"""`event-brokers run`: the assistant as an HTTP server."""

from __future__ import annotations

from collections.abc import Sequence

import click

from event_brokers.cli.arguments import auth_token_option, endpoints_option, takes_output
from event_brokers.cli.output import Output
from event_brokers_assistant.access import BODY_BYTES, Access
from event_brokers_assistant.arguments import model_option, timeout_option


@click.command("run")
@model_option
@endpoints_option
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=5005, show_default=True,
              metavar="PORT", help="Where to listen; 0 takes a free one.")  # fmt: skip
@click.option("-i", "--interface", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="Which address to listen at; 0.0.0.0 is all of this machine.")  # fmt: skip
@auth_token_option("What the API wants as ?token=; as in Rasa, the webhook wants none.")
@click.option("--cors", multiple=True, metavar="ORIGIN",
              help="Origin of web pages that may call the API; * is any.")  # fmt: skip
@click.option("--body-limit", type=click.IntRange(min=1), default=BODY_BYTES, show_default=True,
              metavar="BYTES", help="The most that a request may send.")  # fmt: skip
@click.option("--max-connections", type=click.IntRange(min=1), metavar="NUMBER",
              help="How many may be open at once; half of the open files that the system "
              "allows, and at most 1000, without it.")  # fmt: skip
@click.option("--request-timeout", type=click.FloatRange(min=0, min_open=True), default=30.0,
              show_default=True, metavar="SECONDS",
              help="How long a request may take to arrive.")  # fmt: skip
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
    max_connections: int | None,
    request_timeout: float,
    timeout: float,
) -> int:
    """Serve the assistant over Rasa's HTTP API, and stream every event of its conversations."""
    from event_brokers_assistant import serving  # noqa: PLC0415 - a list of commands loads this

    asked = serving.Asked(
        endpoints_file=endpoints_file,
        model=model,
        interface=interface,
        port=port,
        access=Access(auth_token, cors, body_limit),
        max_connections=max_connections,
        request_timeout=request_timeout,
        timeout=timeout,
    )
    return serving.serve(output, asked)
