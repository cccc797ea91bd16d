"""What the private test servers have in common: their processes, their folder, their life cycle.

Not mirakuru: it knows no pause, no restart with the same data, and nothing ends its servers when
pytest itself is killed.
"""

from __future__ import annotations

import abc
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from typing_extensions import Self

from . import supervisor
from .ports import is_open


class MissingServer(Exception):
    """The server's program is not installed; the message says how to get it."""


class ServerFailed(Exception):
    """The server did not start or did not stop; the message ends with the tail of its log."""


class ServerProcess(abc.ABC):
    """One private server: a folder, fixed ports and the processes of one command.

    A subclass names its ports in `__init__`, writes its files in `_prepare`, and says by
    `_command` what to run and by `_check` whether a client is served.
    """

    name: ClassVar[str]
    host: ClassVar[str] = "127.0.0.1"
    start_seconds: ClassVar[float] = 90.0
    stop_seconds: ClassVar[float] = 30.0
    stop_signal: ClassVar[int] = signal.SIGTERM

    def __init__(self, ports: Iterable[int]) -> None:
        self.ports = tuple(ports)
        self.folder = Path()
        self.paused = False
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._main: int | None = None
        self._last_code: int | None = None

    @classmethod
    @abc.abstractmethod
    def missing(cls) -> str | None:
        """Why the server cannot run here and what to install, or None when it can."""

    @abc.abstractmethod
    def _prepare(self) -> None:
        """Write the configuration and make the empty data in `folder`, once."""

    @abc.abstractmethod
    def _command(self) -> list[str]:
        """The command that runs the server in the foreground."""

    @abc.abstractmethod
    def _check(self) -> None:
        """Return when a client is served; raise anything otherwise."""

    def _environment(self) -> Mapping[str, str]:
        """What the commands find in their environment besides the caller's own."""
        return {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        """The file with all output of the server."""
        return self.folder / "server.log"

    @property
    def running(self) -> bool:
        """Whether the server's main process is alive, paused or not."""
        return self._main is not None and self._exit_code(0) is None

    @property
    def supervisor_id(self) -> int:
        """The process id of the server's parent, which outlives a restart."""
        return self._process.pid

    def start(self) -> None:
        """Start with an empty folder and return when the server serves.

        Raises MissingServer when it is not installed, ServerFailed when it ends early or is not
        ready after `start_seconds`.
        """
        if reason := self.missing():
            raise MissingServer(reason)
        if self._supervisor is not None:
            raise RuntimeError(f"{self.name} was started already")
        self.folder = Path(tempfile.mkdtemp(prefix=f"event-brokers-{self.name}-"))
        self._supervisor = subprocess.Popen(
            [sys.executable, supervisor.__file__, str(self.folder), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C on the terminal reaches pytest alone
        )
        try:
            self._prepare()
            self._launch()
        except BaseException:
            self.stop()
            raise

    def restart(self) -> None:
        """Start again on the same ports with the same data, ending it gracefully if it runs."""
        self.terminate()
        self._launch()

    def recover(self) -> None:
        """Make a paused or ended server serve again; a healthy one is left as it is."""
        if self.paused:
            self.resume()
        if not self.running:
            self._launch()

    def terminate(self) -> None:
        """End the server gracefully, by SIGKILL after `stop_seconds`; its data stay."""
        if self.paused:
            self.resume()
        if self.running:
            assert self._main is not None
            os.kill(self._main, self.stop_signal)
            if self._exit_code(self.stop_seconds) is None:
                self._end_at_once()

    def kill(self) -> None:
        """End every process of the server at once, as kill -9 does; its data stay."""
        self._end_at_once()

    def _end_at_once(self) -> None:
        self._signal(signal.SIGKILL)
        self.paused = False
        if self._main is not None and self._exit_code(10) is None:
            raise ServerFailed(f"{self.name} is still there after SIGKILL")

    def pause(self) -> None:
        """Freeze every process of the server: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal(signal.SIGCONT)
        self.paused = False

    def stop(self) -> None:
        """End the server gracefully, by SIGKILL after `stop_seconds`, and remove its folder."""
        if self._supervisor is None:
            return
        try:
            self.terminate()
        finally:
            process, self._supervisor, self._main = self._supervisor, None, None
            assert process.stdin is not None
            with process, contextlib.suppress(BrokenPipeError):
                # Closing the pipe is not enough when a forked process holds a copy of it.
                process.stdin.write(b"\n")

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of the server's log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _run(self, *command: str) -> None:
        """Run a command that prepares the data, to its end."""
        self._request(list(command))
        code = self._exit_code(self.start_seconds)
        if code is None:
            self._end_at_once()
        if code != 0:
            raise ServerFailed(f"{command[0]} ended with {code}\n{self.log_tail()}")

    def _launch(self) -> None:
        self._request(self._command())
        deadline = time.monotonic() + self.start_seconds
        while (problem := self._problem()) is not None:
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"{self.name} is not ready after {self.start_seconds:.0f} s: "
                    f"{problem!r}\n{self.log_tail()}"
                ) from problem
            time.sleep(0.1)

    def _problem(self) -> Exception | None:
        """Why the server does not serve yet, or None when it does."""
        code = self._exit_code(0)
        if code is not None:
            raise ServerFailed(f"{self.name} ended with {code}\n{self.log_tail()}")
        closed = [port for port in self.ports if not is_open(port)]
        if closed:  # asked before the client, which would log each of its attempts
            return ConnectionError(f"nobody listens at {closed}")
        try:
            self._check()
        except Exception as error:  # noqa: BLE001 - every client has its own, and it is reported
            return error
        return None

    def _request(self, command: list[str]) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        request = {
            "command": command,
            "environment": {**os.environ, **self._environment()},
            "folder": str(self.folder),
            "log": str(self.log),
        }
        line = memoryview(json.dumps(request).encode() + b"\n")
        while line:  # a raw pipe may take less than all of it
            line = line[stdin.write(line) :]
        reply = self._reply(10)
        if reply is None or "started" not in reply:
            reason = reply and reply.get("refused")
            raise ServerFailed(f"{self.name}: {command[0]} did not start: {reason}")
        self._main = int(reply["started"])

    def _exit_code(self, seconds: float) -> int | None:
        """The exit code of what was requested last, or None while it still runs."""
        if self._main is not None and (reply := self._reply(seconds)) is not None:
            self._main, self._last_code = None, int(reply["exited"])
        return None if self._main is not None else self._last_code

    def _reply(self, seconds: float) -> dict[str, int | str] | None:
        stdout = self._process.stdout
        assert stdout is not None
        ready, _, _ = select.select([stdout], [], [], seconds)
        if not ready:
            return None
        line = stdout.readline()
        if not line:
            raise ServerFailed(f"the supervisor of {self.name} has ended")
        reply: dict[str, int | str] = json.loads(line)
        return reply

    def _signal(self, number: int) -> None:
        supervisor.signal_descendants(self._process.pid, number)

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        if self._supervisor is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._supervisor
