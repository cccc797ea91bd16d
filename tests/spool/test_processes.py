"""Several processes on one spool: one delivers, all append, and a fork goes on."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

import event_brokers
from command import Commands
from event_brokers.testing import MemoryBroker
from stand_in import write_plugin
from waiting import wait_until

PROCESSES = 8
EVENTS_EACH = 12_500

# since Python 3.12, of every fork of a process with threads; what it warns of is tested here
FORK_WARNING = "ignore:This process:DeprecationWarning"

WRITER = """
import sys
import event_brokers
sender, count, section = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with event_brokers.connect(section) as broker:
    number = 0
    while number < count:
        # one after the other, and several at once
        broker.publish({"sender_id": sender, "number": number})
        more = range(number + 1, min(count, number + 25))
        broker.publish_many([{"sender_id": sender, "number": each} for each in more])
        number += 25
"""


def test_eight_processes_lose_nothing_and_overtake_nobody(commands: Commands) -> None:
    """100,000 events: none lost, none twice, each sender in order."""
    file = commands.folder / "events.db"
    commands.broker(
        {"type": "sql", "db": str(file), "delivery": {"spool": "waiting", "durability": "process"}}
    )
    writers = [
        subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                "-c",
                WRITER,
                str(n),
                str(EVENTS_EACH),
                "endpoints.yml",
            ],
            cwd=commands.folder,
        )
        for n in range(PROCESSES)
    ]
    assert [writer.wait(200) for writer in writers] == [0] * PROCESSES
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT sender_id, data FROM events ORDER BY id").fetchall()
    numbers: dict[str, list[int]] = {}
    for sender, data in rows:
        numbers.setdefault(sender, []).append(json.loads(data)["number"])
    assert numbers == {str(n): list(range(EVENTS_EACH)) for n in range(PROCESSES)}
    status = commands.run("spool", "status", "--json").document
    total = PROCESSES * EVENTS_EACH
    assert (status["accepted"], status["delivered"], status["pending"]) == (total, total, 0)


HOLDER = """
import sys, time
import event_brokers
broker = event_brokers.connect("endpoints.yml")
print(broker.publish({"from": sys.argv[1]}), flush=True)
sys.stdin.read()
"""


def test_when_the_one_that_delivers_is_killed_another_takes_over(commands: Commands) -> None:
    """Nothing is lost with it, and nothing that it delivered comes again."""
    commands.broker({"delivery": {"spool": "waiting"}})
    environment = {**os.environ, "PYTHONPATH": str(commands.plugins)}

    def start(name: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, name], cwd=commands.folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline()
        return process

    with start("first") as first:
        wait_until(lambda: commands.read() == [{"from": "first"}])
        with start("second") as second:
            wait_until(lambda: commands.read() == [{"from": "first"}, {"from": "second"}])
            # it may be killed after the broker has an event and before it has noted that
            wait_until(lambda: delivered(commands) == 2)
            os.kill(first.pid, signal.SIGKILL)
            first.communicate(timeout=20)
            with start("third") as third:
                wait_until(lambda: len(commands.read()) == 3)
                assert commands.read()[2] == {"from": "third"}
                third.communicate(timeout=20)
            second.communicate(timeout=20)


def delivered(commands: Commands) -> int:
    """Return how many events the spool counts as delivered."""
    found: int = commands.run("spool", "status", "--json").document["delivered"]
    return found


@pytest.mark.parametrize("waits", ["memory", "spool"])
def test_a_fork_goes_on_in_parent_and_child(tmp_path: Path, waits: str) -> None:
    """The child begins with an empty memory, or with the same spool, and its own delivery."""
    section = {"type": "sql", "db": str(tmp_path / "events.db")}
    if waits == "spool":
        section["delivery"] = {"spool": str(tmp_path / "waiting")}  # type: ignore[assignment]
    program = FORKS.format(section=section)
    done = subprocess.run(
        [sys.executable, "-W", FORK_WARNING, "-c", program],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    with closing(sqlite3.connect(tmp_path / "events.db")) as connection:
        rows = connection.execute("SELECT sender_id, data FROM events ORDER BY id").fetchall()
    numbers: dict[str, list[int]] = {}
    for sender, data in rows:
        numbers.setdefault(sender, []).append(json.loads(data)["number"])
    expected = {f"child {n}": list(range(200)) for n in range(4)}
    assert numbers == {"parent": list(range(1000)), **expected}


FORKS = """
import os, sys, threading
import event_brokers

broker = event_brokers.connect({section!r})
children = []
forked = threading.Event()

def publish():
    # while it forks
    for number in range(1000):
        broker.publish({{"sender_id": "parent", "number": number}}, timeout=60)
        if number == 500:
            forked.wait(60)

thread = threading.Thread(target=publish)
thread.start()
for child in range(4):
    process = os.fork()
    if process == 0:
        for number in range(200):
            broker.publish({{"sender_id": f"child {{child}}", "number": number}}, timeout=60)
        broker.close()
        os._exit(0)
    children.append(process)
forked.set()
thread.join()
codes = [os.waitpid(process, 0)[1] for process in children]
broker.close()
sys.exit(any(codes))
"""


IMPORTING = """
import importlib, os, pathlib
from event_brokers import hookimpl

@hookimpl
def connect(options):
    importlib.import_module("slow_client")
    return options

@hookimpl
def publish(connection, events):
    pass

@hookimpl
def close(connection):
    pass
"""
SLOW_CLIENT = """
import pathlib, threading
pathlib.Path("importing").touch()
threading.Event().wait(0.3)
"""
FORKS_AMID_AN_IMPORT = """
import os, pathlib, sys, time
import event_brokers

broker = event_brokers.connect({"type": "importing"})
while not pathlib.Path("importing").exists():
    time.sleep(0.001)
process = os.fork()
if process == 0:
    broker.publish({})
    try:
        broker.close(timeout=10)
    finally:
        os._exit(broker.status().pending)
code = os.waitpid(process, 0)[1]
broker.close()
sys.exit(code and 1)
"""


def test_a_fork_waits_for_a_plugin_that_imports_its_client(tmp_path: Path) -> None:
    """A child could never import a module that the parent had half imported when it forked."""
    write_plugin(tmp_path, "importing", IMPORTING)
    (tmp_path / "slow_client.py").write_text(SLOW_CLIENT)
    done = subprocess.run(
        [sys.executable, "-W", FORK_WARNING, "-c", FORKS_AMID_AN_IMPORT],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_two_brokers_in_one_process_share_a_spool(tmp_path: Path) -> None:
    """A second `connect` to the same spool neither waits for itself nor delivers twice."""
    memory = MemoryBroker()
    folder = str(tmp_path / "waiting")
    with memory.start(spool=folder) as first, memory.start(spool=folder) as second:
        ids = [broker.publish({"n": n}) for n in range(50) for broker in (first, second)]
        assert second.flush(20).pending == 0
        assert first.status().delivered == second.status().delivered == len(ids)
    assert memory.ids() == ids


def test_publishing_goes_on_while_another_process_holds_the_commit_lock(tmp_path: Path) -> None:
    """It waits for the lock, and no longer."""
    section = {"type": "sql", "db": str(tmp_path / "events.db"),
               "delivery": {"spool": str(tmp_path / "waiting")}}  # fmt: skip
    with event_brokers.connect(section) as broker:
        broker.publish({"n": 0})
        broker.flush(20)
        lock = tmp_path / "waiting" / "commit.lock"
        holding = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.flock(f, 2); "
        holding += "print('held', flush=True); sys.stdin.read()"
        with subprocess.Popen(
            [sys.executable, "-c", holding, str(lock)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as holder:  # fmt: skip
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            publishing = threading.Thread(target=broker.publish, args=({"n": 1},))
            publishing.start()
            publishing.join(0.3)
            assert publishing.is_alive()
            holder.kill()
            publishing.join(20)
            assert not publishing.is_alive()
        assert broker.flush(20).delivered == 2
