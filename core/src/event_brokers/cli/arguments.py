"""The options that several commands have, worded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from event_brokers.cli.output import Output

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _as_json(context: click.Context, _option: click.Parameter, value: bool) -> None:
    context.ensure_object(Output).as_json = value


def _debug(context: click.Context, _option: click.Parameter, value: bool) -> None:
    context.ensure_object(Output).debug = value


_json_option = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_as_json,
    is_eager=True,
    help="Write one JSON document to standard output, and nothing else there.",
)

debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_debug,
    is_eager=True,
    help="Show tracebacks and what client libraries log.",
)

endpoints_option = click.option(
    "--endpoints",
    "endpoints_file",
    default="endpoints.yml",
    show_default=True,
    metavar="FILE",
    help="The file whose section event_broker names the broker.",
)

answer_timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the broker may take to answer.",
)


pass_output = click.make_pass_decorator(Output, ensure=True)


def takes_output(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--json` and `--debug`, and pass it the Output as its first argument."""
    return _json_option(debug_option(pass_output(command)))
