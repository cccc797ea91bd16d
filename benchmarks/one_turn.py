"""Starts the process of one turn, does with the server what it asks for, and reads its figures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.row import Way
from benchmarks.task import Figures, Request, Task
from servers import ServerProcess

_ROOT = Path(__file__).parents[1]
_SOURCES = ("*/src", "plugins/*/src")


class TurnFailed(Exception):
    """The process of a turn has ended without figures; says how, with its last words."""


def run_turn(way: Way, task: Task, plugins: Path, server: ServerProcess | None) -> Figures:
    """Run the program of a way in a process of its own, and return its figures.

    Parameters:
        way: what is run.
        task: what it is told.
        plugins: a folder with plugins that are installed for it.
        server: what it may ask to be killed, and started again.

    Raises:
        TurnFailed: it has ended without figures.
    """
    path = [*_sources(way), str(plugins), str(_ROOT), os.environ.get("PYTHONPATH", "")]
    complaints = Path(task.folder, "complaints.txt")
    with (
        complaints.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.turn", way.program],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        ) as process,
    ):  # fmt: skip
        try:
            found = _converse(process, task, server)
        except BaseException:
            process.kill()
            raise
    if process.returncode or found is None:
        last = complaints.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise TurnFailed(f"{way.program} ended with {process.returncode}: {' '.join(last)}")
    return found


def _sources(way: Way) -> list[str]:
    if way.checkout is None:
        return []
    return [str(folder.absolute()) for pattern in _SOURCES for folder in way.checkout.glob(pattern)]


def _converse(
    process: subprocess.Popen[bytes], task: Task, server: ServerProcess | None
) -> Figures | None:
    assert process.stdin is not None
    assert process.stdout is not None
    _send(process, msgspec.json.encode(task))
    for line in process.stdout:
        message = msgspec.json.decode(line)
        if "failure" in message:
            raise TurnFailed(message["failure"])
        if "ask" not in message:
            return msgspec.convert(message, Figures)
        _do(msgspec.convert(message, Request), server)
        _send(process, b"done")
    return None


def _do(request: Request, server: ServerProcess | None) -> None:
    if server is None:
        raise TurnFailed(f"there is no server to {request.ask}")
    {"kill": server.kill, "recover": server.recover}[request.ask]()


def _send(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line + b"\n")
    process.stdin.flush()
