"""A fork at any moment: parent and child go on, and the child touches nothing of the parent's."""

from __future__ import annotations

from pathlib import Path

import pytest

from spools import drain, ids, open_spool, run_elsewhere

BEGIN = """
import os, sys, threading, warnings
from pathlib import Path
from event_brokers.queues.spool import Spool, inherited, tables
from spools import an_event, open_spool
warnings.simplefilter("ignore")
folder = Path(sys.argv[1])
spool = open_spool(folder)

def fork(in_child):
    spool.before_fork()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            spool.after_fork_in_child()
            in_child()
            code = 0
        finally:
            sys.stdout.flush()
            if code:
                os._exit(code)
            sys.exit(0)  # takes the interpreter apart, and with it whatever it holds
    spool.after_fork_in_parent()
    return child

def ended(child):
    assert os.waitpid(child, 0)[1] == 0
"""


def run(tmp_path: Path, program: str) -> list[str]:
    """Run a program that forks; return the ids of what it left in the spool, in order."""
    with run_elsewhere(BEGIN + program, str(tmp_path / "spool")) as process:
        assert process.wait(120) == 0
    spool = open_spool(tmp_path / "spool")
    counts = spool.counts()
    left = ids(drain(spool))
    assert counts.pending == len(left) == counts.accepted
    spool.close()
    return left


def test_threads_publish_while_it_forks_again_and_again(tmp_path: Path) -> None:
    """Each child publishes, too; nothing is lost and nothing is there twice."""
    left = run(
        tmp_path,
        """
forking = threading.Event()

def publish(first):
    for number in range(first, first + 300):
        spool.append([an_event(number)], 60)
        forking.set()

threads = [threading.Thread(target=publish, args=(first,)) for first in (0, 300)]
for thread in threads:
    thread.start()
forking.wait()
children = []
for n in range(8):
    def in_child(n=n):
        for number in range(1000 + n * 10, 1010 + n * 10):
            spool.append([an_event(number)], 60)
        spool.close()
    children.append(fork(in_child))
for child in children:
    ended(child)
for thread in threads:
    thread.join()
spool.close()
""",
    )
    assert sorted(left) == [f"e{number:06}" for number in (*range(600), *range(1000, 1080))]


def test_a_fork_amid_a_commit_that_takes_long_closes_nothing_of_the_parents(
    tmp_path: Path,
) -> None:
    """It does not wait for it; the child, which inherits what is half done, works and ends."""
    left = run(
        tmp_path,
        """
insert, amid, go_on = tables.insert, threading.Event(), threading.Event()

def slow(connection, events):
    count = insert(connection, events)
    if events[0].id == an_event(0).id:
        amid.set()
        go_on.wait(60)
    return count

tables.insert = slow
parent = os.getpid()
appending = threading.Thread(target=spool.append, args=([an_event(n) for n in range(100)], 60))
appending.start()
assert amid.wait(60)

def in_child():
    assert inherited._kept
    assert spool.counts().pending == 0
    spool.close()

ended(fork(in_child))
go_on.set()
appending.join()
assert spool.counts().pending == 100
spool.close()
""",
    )
    assert left == [f"e{number:06}" for number in range(100)]


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_fork_that_is_struck_leaves_the_threads_waiting_for_a_moment_only(
    tmp_path: Path, where: str
) -> None:
    """An exception of a signal handler strikes in the thread that forks."""
    left = run(
        tmp_path,
        f"""
from interruptions import Struck, struck_at

def strike():
    raise Struck

call = spool.before_fork if {where!r} == "before" else spool.after_fork_in_parent
if call == spool.after_fork_in_parent:
    spool.before_fork()
try:
    with struck_at(4, strike):
        call()
except Struck:
    pass
spool.append([an_event(1)], 60)
spool.close()
""",
    )
    assert left == ["e000001"]


def test_a_child_that_inherits_a_closed_spool_can_use_it(tmp_path: Path) -> None:
    """As well as one that was never used since it was opened."""
    left = run(
        tmp_path,
        """
spool.close()
ended(fork(lambda: (spool.append([an_event(1)], 0), spool.close())))
other = spool
spool = open_spool(folder)
ended(fork(lambda: (spool.append([an_event(2)], 0), spool.close())))
other.append([an_event(3)], 0)
other.close()
spool.close()
""",
    )
    assert left == ["e000001", "e000002", "e000003"]
