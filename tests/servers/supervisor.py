"""The parent of one test server: runs its commands and cleans up when its owner is gone.

Run as a script by `servers.process`, with the server's folder and the owner's process id. One JSON
line on standard input is one command to run; the answers on standard output are
`{"started": pid}` or `{"refused": reason}`, and `{"exited": code}` once every process of the
command has ended. At an empty line, at the end of standard input, or when the owner has died in
whatever way, all processes below are killed and the folder is removed.

A process group would not do: PostgreSQL's children and Erlang's helpers make groups of their own,
and epmd turns into a daemon. As a "child subreaper" (prctl(2), Linux) this process stays the
ancestor of all of them.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36


def signal_descendants(process_id: int, number: int) -> None:
    """Send a signal to every process below `process_id`, also to those that appear meanwhile."""
    signalled: set[psutil.Process] = set()
    while True:
        try:
            descendants = psutil.Process(process_id).children(recursive=True)
        except psutil.NoSuchProcess:
            return
        unsignalled = [process for process in descendants if process not in signalled]
        if not unsignalled:
            return
        for process in unsignalled:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        signalled.update(unsignalled)


class Supervisor:
    """Runs one command at a time for the process `owner`."""

    def __init__(self, owner: int) -> None:
        self._owner = owner
        self._main: int | None = None
        # Unbuffered: select() does not see what a buffer has read ahead.
        self._requests = os.fdopen(0, "rb", buffering=0)
        self._wakeup, writer = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(writer, False)
        # A handler, even an empty one, is what makes the kernel interrupt select() for SIGCHLD.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer)

    def serve(self) -> None:
        """Run what standard input asks for until the owner closes it or dies."""
        while os.getppid() == self._owner:
            # A forked child of the owner may hold the pipe open, hence the look at getppid().
            ready, _, _ = select.select([0, self._wakeup], [], [], 0.5)
            if self._wakeup in ready:
                os.read(self._wakeup, 4096)
                self._reap()
            if 0 in ready and not self._run_next():
                return

    def _run_next(self) -> bool:
        line = self._requests.readline()
        if not line.strip():
            return False
        request = json.loads(line)
        try:
            with Path(request["log"]).open("ab") as log:
                process = subprocess.Popen(
                    request["command"],
                    env=request["environment"],
                    cwd=request["folder"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
        except OSError as error:
            answer({"refused": str(error)})
            return True
        self._main = process.pid
        process.returncode = 0  # reaped below, with all the others
        answer({"started": process.pid})
        return True

    def _reap(self) -> None:
        while True:
            try:
                process_id, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process_id == 0:
                return
            if process_id == self._main:
                self._main = None
                end_descendants()
                answer({"exited": os.waitstatus_to_exitcode(status)})


def end_descendants() -> None:
    """Kill every process below this one and wait until they are gone."""
    while True:
        signal_descendants(os.getpid(), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def answer(message: dict[str, int | str]) -> None:
    """Tell the owner, one JSON line."""
    os.write(1, json.dumps(message).encode() + b"\n")


def main() -> None:
    """Serve until the owner is gone, then leave nothing."""
    folder, owner = Path(sys.argv[1]), int(sys.argv[2])
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        Supervisor(owner).serve()
    finally:
        end_descendants()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
