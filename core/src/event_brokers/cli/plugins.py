"""`event-brokers plugins`: what is installed, and which options it takes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from event_brokers import plugins
from event_brokers.cli.arguments import takes_output
from event_brokers.cli.exit_codes import ExitCode
from event_brokers.cli.output import Output
from event_brokers.cli.stop_signals import Stopped, StopSignals
from event_brokers.endpoints import DeliveryOptions
from event_brokers.options import OptionDescription, describe
from event_brokers.plugins import InstalledPlugin
from event_brokers.wording import printable

_WIDTH_OF_A_FILE = 160  # columns where standard output is not a terminal


@click.command("plugins")
@takes_output
def command(output: Output) -> int:
    """List the installed plugins and their options, and say which cannot be used, and why."""
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
