"""What importing a plugin takes, and what it begins: measured in a process of its own.

Run as `python -m event_brokers.import_cost TYPE`, it says so of an installed plugin, in JSON.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from event_brokers import plugins
from event_brokers.errors import PluginError
from event_brokers.wording import printable

LONGEST_SECONDS = 60.0  # after which an import is given up

_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto")


class ImportCost(msgspec.Struct, frozen=True):
    """What an import has taken and begun.

    Attributes:
        seconds: that it took.
        threads: that it has started, and that still run.
        network: what it did there, as Python's audit events name it: "socket.connect".
    """

    seconds: float
    threads: int
    network: tuple[str, ...]


def measure(load: Callable[[], object]) -> ImportCost:
    """Return what a call takes and begins; for a process that does nothing else.

    Parameters:
        load: imports a plugin.
    """
    touched: list[str] = []

    def listen(event: str, _arguments: tuple[Any, ...]) -> None:
        if event in _NETWORK:
            touched.append(event)

    sys.addaudithook(listen)
    threads = threading.active_count()
    began = time.perf_counter()
    load()
    seconds = time.perf_counter() - began
    return ImportCost(seconds, threading.active_count() - threads, tuple(dict.fromkeys(touched)))


def import_cost(type_name: str) -> ImportCost:
    """Return what importing an installed plugin takes and begins.

    Parameters:
        type_name: the type it serves.

    Raises:
        PluginError: the process that imports it does not end well, or not in time.
    """
    command = [sys.executable, "-m", __name__, type_name]
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=LONGEST_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise PluginError(f"importing it takes more than {LONGEST_SECONDS:g} s") from error
    # what the plugin prints stands before it
    said = ended.stdout.strip().rpartition("\n")[2]
    try:
        return msgspec.json.decode(said, type=ImportCost)
    except msgspec.DecodeError as error:
        last = printable(ended.stderr.strip().rpartition("\n")[2]) or f"code {ended.returncode}"
        raise PluginError(f"a process that imports it ends with: {last}") from error


def main() -> None:
    """Say what importing the plugin costs whose type is the program's first argument."""
    cost = measure(lambda: plugins.load(sys.argv[1]))
    sys.stdout.write("\n" + msgspec.json.encode(cost).decode() + "\n")


if __name__ == "__main__":
    main()
