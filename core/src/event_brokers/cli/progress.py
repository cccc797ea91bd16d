"""The bar that a terminal shows while a command publishes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from event_brokers.status import Status


class Progress(Protocol):
    """Is told how far a command is."""

    def read(self, size: int) -> None:
        """Count bytes that were read.

        Parameters:
            size: how many more.
        """

    def show(self, status: Status) -> None:
        """Show the broker's counts."""


@contextmanager
def progress(total: int | None) -> Iterator[Progress]:
    """Show a bar on standard error while it is entered, if that is a terminal.

    Parameters:
        total: bytes there are to read; None where nobody knows.
    """
    console = Console(stderr=True, markup=False, highlight=False)
    # sys.stderr is None in a program without a console, and then there is no terminal either
    if sys.stderr is None or not console.is_terminal:
        yield _Nowhere()
        return
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.description}", markup=False),
        TimeRemainingColumn(compact=True),
    )
    with Bar(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        yield _OnTerminal(bar, total)


class _Nowhere:
    def read(self, size: int) -> None:
        pass

    def show(self, status: Status) -> None:
        pass


class _OnTerminal:
    def __init__(self, bar: Bar, total: int | None) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=total)

    def read(self, size: int) -> None:
        self._bar.advance(self._task, size)

    def show(self, status: Status) -> None:
        text = f"{status.delivered} delivered, {status.pending} pending"
        if status.last_error is not None:
            text = f"{text}, {status.state}"
        self._bar.update(self._task, description=text)
