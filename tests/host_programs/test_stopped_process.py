"""A process that is stopped amid a commit holds up the others for some seconds only."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import event_brokers
from event_brokers import EventBroker, SpoolError
from host_programs.running import Programs, ended
from waiting import wait_until

SHORTEST_SECONDS = 5.0  # that anybody waits for another process
MARGIN_SECONDS = 10.0  # a busy machine is slow

PUBLISHES_ON = """
import json, os, sys, event_brokers
broker = event_brokers.connect(json.loads(sys.argv[1]))
print("ready", flush=True)
number = 0
while not os.path.exists("enough"):
    broker.publish({"number": number})
    number += 1
broker.close(0)
print(number)
"""


class Attempt:
    """Publishes on a thread of its own, and tells how that ended.

    Parameters:
        broker: has the spool.
        number: of the event.
        timeout: as for `publish`.

    Attributes:
        seconds: how long it took.
        error: what was raised; None where nothing was.
    """

    def __init__(self, broker: EventBroker, number: int, timeout: float) -> None:
        self.seconds = 0.0
        self.error: BaseException | None = None
        self.timeout = timeout
        self._broker = broker
        self._number = number
        self._thread = threading.Thread(target=self._publish)
        self._thread.start()

    def has_ended(self, seconds: float) -> bool:
        """Return whether it has ended, after so many seconds at the latest."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _publish(self) -> None:
        started = time.monotonic()
        try:
            self._broker.publish({"number": self._number}, f"e{self._number}", self.timeout)
        except Exception as error:  # noqa: BLE001 - looked at by the test
            self.error = error
        self.seconds = time.monotonic() - started


def test_publish_tells_which_stopped_process_holds_the_spool(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, is_whole: bool
) -> None:
    """After the longer of its timeout and 5 s; once that process goes on, so does everything."""
    monkeypatch.syspath_prepend(programs.folder)
    section = programs.section("spool")
    section["delivery"]["durability"] = "power"
    with event_brokers.connect(section) as broker:
        broker.publish({"number": -1})
        broker.flush(20)  # so that this process is the one that delivers
        with programs.start("-c", PUBLISHES_ON, json.dumps(section)) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for turn in range(5 if is_whole else 1):
                first = -100 - 10 * turn
                with stopped_amid_a_commit(process, programs.folder / "waiting" / "commit.lock"):
                    attempts = [Attempt(broker, first, 1.0), Attempt(broker, first - 1, 8.0)]
                    check(attempts, process.pid)
                    assert broker.status().accepted > 0, "looking waits for nobody"
                # nobody knows whether they were stored: with the same ids they are the same events
                again = [Attempt(broker, first, 60.0), Attempt(broker, first - 1, 60.0)]
                assert all(attempt.has_ended(60) for attempt in again)
                assert [attempt.error for attempt in again] == [None, None]
            (programs.folder / "enough").touch()
            done = ended(process)
        assert (done.code, done.err) == (0, "")
        assert broker.flush(60).pending == 0
    expected = {-1, *range(int(done.out))}
    for turn in range(5 if is_whole else 1):
        expected |= {-100 - 10 * turn, -101 - 10 * turn}
    assert programs.arrivals() == dict.fromkeys(expected, 1)


def check(attempts: list[Attempt], holder: int) -> None:
    """See that each attempt ends in time, with an error that names the process.

    Parameters:
        attempts: under way.
        holder: the id of the process that is stopped.
    """
    for attempt in attempts:
        wanted = max(attempt.timeout, SHORTEST_SECONDS)
        assert attempt.has_ended(wanted + MARGIN_SECONDS), "publish has not returned"
        assert isinstance(attempt.error, SpoolError)
        assert str(holder) in str(attempt.error)
        assert len(attempt.error.event_ids) == 1
        assert wanted - 0.5 <= attempt.seconds <= wanted + MARGIN_SECONDS


@contextmanager
def stopped_amid_a_commit(process: subprocess.Popen[str], lock: Path) -> Iterator[None]:
    """Stop a process again and again, until it is stopped while it holds the lock.

    Parameters:
        process: publishes without a pause.
        lock: the file of the lock.
    """

    def is_caught() -> bool:
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        if holds(process.pid, lock):
            return True
        process.send_signal(signal.SIGCONT)
        return False

    try:
        wait_until(is_caught, 60)
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def holds(process: int, lock: Path) -> bool:
    """Return whether a process holds the lock, as the kernel tells."""
    inode = str(lock.stat().st_ino)
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        words = line.split()
        # a line with an arrow is of one that waits
        if "->" not in words and words[4] == str(process) and words[5].split(":")[2] == inode:
            return True
    return False


def test_a_lock_is_found_where_the_kernel_tells_of_it(tmp_path: Path) -> None:
    """The test above stops a process at the right moment."""
    with (tmp_path / "lock").open("w") as file:
        assert not holds(os.getpid(), tmp_path / "lock")
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holds(os.getpid(), tmp_path / "lock")
