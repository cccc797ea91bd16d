"""`event-brokers plugins`: what is installed, what is to be said of it, and a new one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from event_brokers import plugins
from event_brokers.cli.arguments import takes_output
from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.cli.new_plugin import checked_name, distribution_of, write_plugin
from event_brokers.cli.output import Output
from event_brokers.cli.stop_signals import Stopped, StopSignals
from event_brokers.endpoints import DeliveryOptions
from event_brokers.options import OptionDescription, describe
from event_brokers.plugin_inspection import Verdict, inspect_plugin
from event_brokers.plugins import InstalledPlugin
from event_brokers.wording import printable

_WIDTH_OF_A_FILE = 160  # columns where standard output is not a terminal


@click.group("plugins", invoke_without_command=True)
@takes_output
@click.pass_context
def command(context: click.Context, output: Output) -> int:
    """List the installed plugins and their options, and say which cannot be used, and why."""
    return ExitCode.EX_OK if context.invoked_subcommand else _list(output)


@command.command("check")
@click.argument("type_name", metavar="TYPE", required=False)
@takes_output
def check(output: Output, type_name: str | None) -> int:
    """Say what can be said of installed plugins without their brokers, for who writes one.

    With TYPE of that plugin alone: its hooks, its options, its metadata, and what importing it
    takes and begins. The tests of the conformance kit say the rest.
    """
    with StopSignals() as signals:
        found = [
            (each, inspect_plugin(each))
            for each in _installed(signals)
            if type_name is None or each.type == type_name.casefold()
        ]
    if signals.received is not None:
        return 128 + signals.received
    if not found:
        wanted = "" if type_name is None else f" serves '{type_name}'"
        raise CommandFailed(f"no installed plugin{wanted}", ExitCode.EX_UNAVAILABLE)
    output.document["plugins"] = [
        {"type": each.type, "distribution": each.distribution, "version": each.version,
         "findings": msgspec.to_builtins(findings)}
        for each, findings in found
    ]  # fmt: skip
    for each, findings in found:
        output.say(f"{each.type}: {each.distribution} {each.version}")
        for finding in findings:
            output.say(f"  {finding.verdict.value:<6} {finding.text}")
    is_wrong = any(each.verdict is Verdict.WRONG for _, findings in found for each in findings)
    return ExitCode.EX_UNAVAILABLE if is_wrong else ExitCode.EX_OK


@command.command("new")
@click.argument("name")
@click.option("--asyncio", "is_asyncio", is_flag=True, help="For a client that is asyncio only.")
@click.option("--consume", "consumes", is_flag=True, help="With the hook that reads events back.")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where to; event-brokers-NAME if not given."
)
@takes_output
def new(
    output: Output, name: str, is_asyncio: bool, consumes: bool, folder: Path | None
) -> ExitCode:
    """Write a distribution that serves the type NAME, ready to be changed and published."""
    type_name = checked_name(name)
    target = folder or Path(distribution_of(type_name))
    layers = ["common", "asyncio" if is_asyncio else "blocking", *["consume"] * consumes]
    written = write_plugin(type_name, target, layers)
    output.document |= {"folder": str(target), "files": [str(path) for path in written]}
    for path in written:
        output.say(f"written: {path}")
    output.say(f"README.md in {target} says how to test it; client.py is where to begin")
    return ExitCode.EX_OK


def _list(output: Output) -> int:
    with StopSignals() as signals:
        installed = _installed(signals)
    if signals.received is not None:
        return 128 + signals.received
    output.document |= {
        "plugins": [_document(plugin) for plugin in installed],
        "delivery": msgspec.to_builtins(describe(DeliveryOptions)),
    }
    if not output.as_json:
        _show(installed)
    return ExitCode.EX_OK


def _installed(signals: StopSignals) -> Sequence[InstalledPlugin]:
    """Return what is installed; a signal ends an import that does not, and nothing else."""
    try:
        with signals.interruptible():
            return plugins.installed()
    except Stopped:
        return ()


def _document(installed: InstalledPlugin) -> dict[str, Any]:
    return {
        "type": installed.type,
        "distribution": installed.distribution,
        "version": installed.version,
        "problem": installed.problem,
        "options": msgspec.to_builtins(_options(installed)),
    }


def _options(installed: InstalledPlugin) -> list[OptionDescription]:
    if installed.plugin is None or installed.plugin.options_class is None:
        return []
    return describe(installed.plugin.options_class)


class _Console(Console):
    """Lets the program say how it ends when nobody reads any more; rich would end it here."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _show(installed: Sequence[InstalledPlugin]) -> None:
    width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
    console = _Console(markup=False, highlight=False, emoji=False, width=width)
    if not installed:
        names = ", ".join(sorted(plugins.DISTRIBUTIONS.values()))
        console.print(f"no plugin is installed; pip install one of {names}")
    for plugin in installed:
        console.print(_described(plugin), end="\n\n")
    console.print("delivery: for every type", _table(describe(DeliveryOptions)))


def _described(installed: InstalledPlugin) -> RenderableType:
    title = printable(f"{installed.type}: {installed.distribution} {installed.version}")
    if installed.problem is not None:
        problem = printable(f"cannot be used: {installed.problem}")
        return Group(title, Padding(problem, (0, 0, 0, 2)))
    options = _options(installed)
    if not options:
        return Group(title, Padding("does not describe its options", (0, 0, 0, 2)))
    return Group(title, _table(options))


def _table(options: Sequence[OptionDescription]) -> RenderableType:
    table = Table(box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("option", "type", "default", "what it does"):
        table.add_column(heading, overflow="fold")
    for option in options:
        default = "(required)" if option.default is None else option.default
        table.add_row(*map(printable, (option.name, option.type, default, option.text)))
    return Padding(table, (0, 0, 0, 2))
