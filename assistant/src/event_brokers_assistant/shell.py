"""`event-brokers shell`: a conversation in the terminal."""

from __future__ import annotations

import click

from event_brokers.cli.arguments import debug_option, endpoints_option, pass_output
from event_brokers.cli.output import Output
from event_brokers_assistant.arguments import model_option, timeout_option


@click.command("shell")
@model_option
@endpoints_option
@click.option("--sender", default="default", show_default=True, metavar="ID",
              help="The conversation to go on with.")  # fmt: skip
@click.option("--events", "show_events", is_flag=True,
              help="Show the events of each turn, as they are streamed.")  # fmt: skip
@timeout_option
@debug_option
@pass_output
def command(  # noqa: PLR0913, PLR0917 - an argument for each option
    output: Output,
    model: str | None,
    endpoints_file: str,
    sender: str,
    show_events: bool,
    timeout: float,
) -> int:
    """Talk to the assistant in the terminal; /stop or Ctrl-D ends it."""
    from event_brokers_assistant import conversation  # noqa: PLC0415 - a list of commands loads this

    asked = conversation.Asked(endpoints_file, model, sender, show_events, timeout)
    return conversation.hold(output, asked)
