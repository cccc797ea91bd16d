"""The options that several commands have, worded once."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.cli.output import Output

_TOKEN = "EVENT_BROKERS_AUTH_TOKEN"

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


def auth_token_option(what_for: str) -> Callable[[_Command], _Command]:
    """Return the option `--auth-token` of a command that serves HTTP.

    Parameters:
        what_for: what whoever asks has to do with the token, a sentence.
    """
    rest = f"{_TOKEN} keeps it out of the list of processes."
    return click.option("--auth-token", callback=_token, metavar="TOKEN", help=f"{what_for} {rest}")


def _token(_context: click.Context, _option: click.Parameter, given: str | None) -> str | None:
    # click takes a variable that is empty for one that is not set, and would let everybody in
    token = os.environ.get(_TOKEN) if given is None else given
    if token is not None and not token.strip():
        raise CommandFailed(
            f"--auth-token: is empty; give a token, or unset {_TOKEN}", ExitCode.EX_USAGE
        )
    return token


pass_output = click.make_pass_decorator(Output, ensure=True)


def takes_output(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--json` and `--debug`, and pass it the Output as its first argument."""
    return _json_option(debug_option(pass_output(command)))
