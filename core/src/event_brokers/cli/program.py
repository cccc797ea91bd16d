"""The commands under one name, and the one place where an error becomes words and a code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from event_brokers.cli import exit_codes
from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.cli.output import Output, log_to
from event_brokers.errors import EventBrokersError
from event_brokers.registrations import Registration, registrations
from event_brokers.wording import name_and_first_line, printable

GROUP = "event_brokers.commands"
# what each of them says of itself, so that a list of them imports none
_OWN = {
    "check": "Read the file, connect to the broker, and say in words what works or what is wrong.",
    "doctor": "Look at broker, spool, disk, clock, versions, permissions and certificates; worst "
    "first.",
    "metrics": "Print what the spool counts, whoever delivers it, as Prometheus reads it.",
    "plugins": "List the installed plugins and their options, and say which cannot be used, and "
    "why.",
    "publish": "Send the events of each FILE, one JSON object a line; - is standard input.",
    "spool": "Look into the spool that endpoints.yml names, also while another process delivers.",
    "tail": "Show events as they arrive at the broker; Ctrl-C ends it.",
}
_EPILOG = "\b\nExit codes:\n" + exit_codes.listing()


class Commands(click.Group):
    """The commands of this distribution, and those of the entry-point group."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*_OWN, *(entry.name for entry in _registered(ctx))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _OWN:
            return click.Command(cmd_name, help=_OWN[cmd_name])  # in name, until it is to run
        found = [entry for entry in _registered(ctx) if entry.name == cmd_name]
        return _load(found) if found else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, _own(name) if name and name in _OWN else command, rest


def _registered(ctx: click.Context) -> list[Registration]:
    """Return what the group holds; looked for once in a run, for the help asks for each command."""
    if GROUP not in ctx.meta:
        ctx.meta[GROUP] = registrations(GROUP)
    found: list[Registration] = ctx.meta[GROUP]
    return found


@click.group(
    "event-brokers",
    cls=Commands,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="event-brokers", prog_name="event-brokers")
def group() -> None:
    """Send events to the broker that endpoints.yml names, or look whether they would arrive."""


def run(arguments: Sequence[str]) -> int:
    """Run one command and return the code with which the program ends.

    Parameters:
        arguments: the words after `event-brokers`.
    """
    output = Output()
    try:
        with log_to(output):
            code = _run(arguments, output)
        output.finish(code)
        sys.stdout.flush()
    except BrokenPipeError:
        # nobody reads any more: what is left in the buffers must not raise again at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.EX_IOERR
    return code


def _run(arguments: Sequence[str], output: Output) -> int:
    try:
        result = group.main(
            list(arguments), prog_name="event-brokers", standalone_mode=False, obj=output
        )
    except click.UsageError as error:
        error.show()
        return ExitCode.EX_USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 128 + signal.SIGINT
    except EventBrokersError as error:
        output.fail(error, str(error))
        return exit_codes.exit_code(error)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last place that can put it into words
        # its text is not ours, and may hold anything
        output.fail(error, f"a bug: {type(error).__name__}; --debug shows where")
        return ExitCode.EX_SOFTWARE
    return result if isinstance(result, int) else ExitCode.EX_OK


def _own(name: str) -> click.Command:
    command: click.Command = import_module(f"event_brokers.cli.{name}").command
    command.epilog = _EPILOG
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            inner.epilog = _EPILOG
    return command


def _load(entries: Sequence[Registration]) -> click.Command:
    entry = entries[0]
    where = " and ".join(str(entry) for entry in entries)
    if len(entries) > 1:
        return _unusable(entry.name, f"{where} both add the command; uninstall one of them")
    try:
        command = entry.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the other commands work
        reason = f"cannot be imported: {printable(name_and_first_line(error))}"
        return _unusable(entry.name, f"{where} {reason}", error)
    if not isinstance(command, click.Command):
        return _unusable(entry.name, f"{where} gives no click command but {entry.value}")
    return command


def _unusable(name: str, reason: str, cause: BaseException | None = None) -> click.Command:
    """Return a command that says why the real one is missing."""

    def complain(words: tuple[str, ...]) -> None:  # noqa: ARG001 - meant for the real one
        raise CommandFailed(f"{name}: {reason}", ExitCode.EX_UNAVAILABLE) from cause

    return click.Command(
        name,
        callback=complain,
        params=[click.Argument(["words"], nargs=-1)],
        short_help=f"Does not work: {reason}",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True},
    )
