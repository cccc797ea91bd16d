"""Runs `event-brokers` as its users do: as a program of its own, in a folder with endpoints.yml."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stand_in import write_plugin

# a test run in the background ignores Ctrl-C, and its children would, too
START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from event_brokers.cli import main
main()
"""
# kafka-python reads its own metadata in a way that importlib has deprecated
WARNINGS = ("error", "ignore:read_text is deprecated:DeprecationWarning",
            "ignore:open_text is deprecated:DeprecationWarning")  # fmt: skip
PROGRAM = (sys.executable, *(f"-W{warning}" for warning in WARNINGS), "-c", START)

LIMITED = ("sh", "-c", 'ulimit -n "$0" && exec "$@"')

FILE_BROKER = """
import pathlib, threading, time
from event_brokers import BrokerUnavailable, ConfigurationError, RejectedEvents, hookimpl

@hookimpl
def connect(options):
    failure = options.get("connect_fails")
    if failure == "unavailable":
        raise BrokerUnavailable(options.get("sentence", "nobody listens"))
    if failure == "configuration":
        raise ConfigurationError(options.get("sentence", "the password is wrong"))
    if failure == "unforeseen":
        raise ValueError(options.get("sentence"))
    return options

@hookimpl
def publish(connection, events):
    failure = connection.get("publish_fails")
    if failure == "rejected":
        raise RejectedEvents({event.id: connection.get("sentence", "no") for event in events})
    if failure == "unforeseen":
        raise ValueError(connection.get("sentence"))
    if failure == "hangs":
        pathlib.Path("hangs").touch()
        threading.Event().wait()
    with pathlib.Path(connection["file"]).open("ab") as file:
        file.writelines(event.body + b"\\n" for event in events)

@hookimpl
def close(connection):
    pass
"""


@dataclass(frozen=True)
class Ended:
    """How a run of the command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document of `--json`, which is all there is on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found


class Commands:
    """A folder to run commands in, with a broker type `journal` that writes into `arrived.jsonl`.

    Parameters:
        folder: where endpoints.yml is written and files are made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugins = folder / "plugins"
        write_plugin(self.plugins, "journal", FILE_BROKER, "journal-broker")
        self.arrived = folder / "arrived.jsonl"
        self.broker({})

    def broker(self, section: Mapping[str, Any]) -> None:
        """Write endpoints.yml.

        Parameters:
            section: what stands under `event_broker`; the type `journal` where it names none.
        """
        whole = {"type": "journal", "file": str(self.arrived), **section}
        if whole["type"] != "journal":
            del whole["file"]
        text = yaml.safe_dump({"event_broker": whole})
        (self.folder / "endpoints.yml").write_text(text, encoding="utf-8")

    def events(self, *lines: Any, name: str = "events.jsonl") -> str:
        """Write a file of JSON lines and return its name.

        Parameters:
            lines: text as it is; anything else as JSON.
            name: the file's name.
        """
        texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
        (self.folder / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        return name

    def read(self) -> list[Any]:
        """Return the events that have arrived at the broker `journal`."""
        if not self.arrived.exists():
            return []
        return [json.loads(line) for line in self.arrived.read_bytes().splitlines()]

    def start(
        self, *words: str, open_files: int | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a command and return its process.

        Parameters:
            words: what stands behind `event-brokers`.
            open_files: how many files it may have open at once; as many as we if None.
            options: as for `subprocess.Popen`.
        """
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        path = os.pathsep.join([str(self.plugins), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, **options.pop("env", {})}
        limited = () if open_files is None else (*LIMITED, str(open_files))
        return subprocess.Popen(
            [*limited, *PROGRAM, *words],
            cwd=self.folder,
            text=True,
            env=environment,
            **{**streams, **options},
        )

    def run(self, *words: str, given: str = "", **options: Any) -> Ended:
        """Run a command to its end.

        Parameters:
            words: what stands behind `event-brokers`.
            given: its standard input.
            options: as for `subprocess.Popen`.
        """
        with self.start(*words, **options) as process:
            return ended(process, given)


def ended(process: subprocess.Popen[str], given: str = "") -> Ended:
    """Wait for the end of a command, for a minute at most.

    Parameters:
        process: what `Commands.start` has returned.
        given: what is still to be written to its standard input.
    """
    try:
        out, err = process.communicate(given, timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Ended(process.returncode, out or "", err or "")


def closing_line(accepted: int, delivered: int, pending: int = 0, dead_letters: int = 0) -> str:
    """Return the line with which `publish` ends."""
    return (
        f"{accepted} accepted, {delivered} delivered, {pending} pending, "
        f"{dead_letters} dead letters\n"
    )


def numbered(count: int) -> Sequence[dict[str, Any]]:
    """Return events of one conversation."""
    return [{"sender_id": "default", "event": "user", "n": number} for number in range(count)]
