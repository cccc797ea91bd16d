"""Programs killed at any moment: every event whose `publish` returned is still there."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from command import Commands, closing_line
from spools import ids, open_spool
from waiting import wait_until

PUBLISHER = """
import os, sys
import event_brokers
first, durability = int(sys.argv[1]), sys.argv[2]
broker = event_brokers.connect({
    "type": "journal", "file": "arrived.jsonl",
    "delivery": {"spool": "waiting", "durability": durability},
})
number = first
while True:
    event = {"sender_id": str(number % 3), "number": number}
    broker.publish(event, f"e{number}")
    os.write(1, f"{number}\\n".encode())
    number += 1
"""

# each line that it writes is true from then on, whatever happens
STEPS = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from event_brokers import DeadLetter
from spools import an_event, open_spool

def say(what, number):
    os.write(1, f"{what} e{number:06}\\n".encode())

spool = open_spool(Path(sys.argv[1]), "power")
spool.right.acquire()
for number in range(3):
    spool.append([an_event(number)], 0)
    say("accepted", number)
say("leaving", 0)
spool.settle(["e000000"])
say("leaving", 1)
spool.bury([DeadLetter(an_event(1), "refused", 0.0)])
spool.retry(["e000001"])
spool.append([an_event(3), an_event(4)], 0)
say("accepted", 3)
say("accepted", 4)
spool.right.release()
spool.close()
"""
DURABLE_CALLS = (
    "mkdir", "openat", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate", "unlink",
    "flock",
)  # fmt: skip
TESTS = str(Path(__file__).parent.parent)


def publish_until_killed(commands: Commands, first: int, durability: str, seconds: float) -> int:
    """Publish from a number on in another process, kill it, and return the number after the last.

    Parameters:
        commands: the folder with the plugin.
        first: the first number.
        durability: of the spool.
        seconds: between the first event and SIGKILL.
    """
    environment = {**os.environ, "PYTHONPATH": str(commands.plugins)}
    with subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, str(first), durability],
        cwd=commands.folder, env=environment, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        said = [process.stdout.readline()]
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        said += process.stdout.readlines()
        timer.join()
        assert process.wait(20) == -signal.SIGKILL
    whole = [int(line) for line in said if line.endswith(b"\n")]
    assert whole == list(range(first, first + len(whole)))
    return first + len(whole)


@pytest.mark.parametrize("durability", ["power", "process"])
def test_sigkill_at_random_loses_nothing(commands: Commands, durability: str) -> None:
    """Again and again on one spool; what arrives is in order, and twice only where it must be."""
    chance = random.Random(0)
    accepted = 0
    for _ in range(12):
        # the one event whose publish did not return may be there, too: it is the same event
        accepted = publish_until_killed(commands, accepted, durability, chance.uniform(0, 0.3))
    commands.broker({"delivery": {"spool": "waiting"}})
    assert commands.run("publish", "-").code == 0
    arrived = list(dict.fromkeys(event["number"] for event in commands.read()))
    assert set(range(accepted)) <= set(arrived)
    for sender in range(3):
        of_sender = [number for number in arrived if number % 3 == sender]
        assert of_sender == sorted(of_sender)


def crash_points(folder: Path) -> Iterator[tuple[str, int]]:
    """Return every durable system call of STEPS: its name, and the how manieth of its kind."""
    trace = folder / "trace"
    calls = ",".join(DURABLE_CALLS)
    words = ["strace", "-f", "-o", str(trace), "-e", f"trace={calls}", "-e", "signal=none"]
    done = run_steps(folder / "counted", words)
    assert done.returncode == 0, done.stderr
    lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    for call in DURABLE_CALLS:
        found = [line for line in lines if f" {call}(" in line]
        first = next((n for n, line in enumerate(found, 1) if "counted" in line), 1)
        for number in range(first if call == "openat" else 1, len(found) + 1):
            yield call, number


def run_steps(folder: Path, before: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run STEPS on a spool.

    Parameters:
        folder: of the spool.
        before: the words before the program.
    """
    return subprocess.run(
        [*before, sys.executable, "-B", "-c", STEPS, str(folder), TESTS],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_sigkill_at_every_durable_system_call_loses_nothing(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Before each write, flush, truncation and lock; then the spool opens, and all is there."""
    points = list(crash_points(tmp_path))
    assert len(points) > 100
    every = 1 if request.config.getoption("--faults") else 12
    for call, number in points[::every]:
        folder = tmp_path / f"{call}-{number}"
        inject = f"inject={call}:signal=KILL:when={number}"
        words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
        done = run_steps(folder, words)
        said = [line.split() for line in done.stdout.splitlines()]
        accepted = {event_id for what, event_id in said if what == "accepted"}
        leaving = {event_id for what, event_id in said if what == "leaving"}
        spool = open_spool(folder)
        counts = spool.counts()
        with spool.contents() as (events, letters):
            pending, buried = ids(list(events)), [letter.event.id for letter in letters]
        spool.close()
        where = f"killed at {call} number {number}"
        assert accepted - leaving <= {*pending, *buried}, where
        assert "e000001" not in accepted or "e000001" in {*pending, *buried}, where
        assert (counts.pending, counts.dead_letters) == (len(pending), len(buried)), where
        assert len({*pending, *buried}) == len(pending) + len(buried), where
        in_order = [event_id for event_id in pending if event_id != "e000001"]
        assert in_order == sorted(in_order), where
        shutil.rmtree(folder)


def test_a_program_killed_amid_an_outage_leaves_everything_to_the_next(
    commands: Commands,
) -> None:
    """The broker was down all the time; the next program finds it up."""
    commands.broker({"connect_fails": "unavailable", "delivery": {"spool": "waiting"}})
    with commands.start("publish", "-") as process:
        assert process.stdin is not None
        process.stdin.write("".join(json.dumps({"number": n}) + "\n" for n in range(100)))
        process.stdin.flush()
        wait_until(lambda: status_of(commands).get("pending") == 100)
        process.kill()
        process.communicate(timeout=20)
    commands.broker({"delivery": {"spool": "waiting"}})
    assert commands.run("publish", "-").out == closing_line(100, 100)
    assert commands.read() == [{"number": number} for number in range(100)]


def status_of(commands: Commands) -> dict[str, int]:
    """Return what `spool status` says."""
    found: dict[str, int] = commands.run("spool", "status", "--json").document
    return found
