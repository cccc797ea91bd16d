"""A child delivers what it publishes, however it came about, also where it ends without `close`."""

from __future__ import annotations

import json

import pytest

from host_programs.running import Programs

CHILDREN = 4
EVENTS_EACH = 200

# a module of its own: what starts children by other ways than a fork imports it anew
JOBS = """
import json, os, pathlib, event_brokers

broker = event_brokers.connect(json.loads(pathlib.Path("section.json").read_text()))

def publish(sender, count):
    for number in range(count):
        broker.publish({"sender_id": sender, "number": number}, timeout=60)

def publish_chunk(chunk):
    for number in range(chunk * 25, chunk * 25 + 25):
        broker.publish({"sender_id": "pool", "number": number}, timeout=60)
    return os.getpid()
"""
PROCESSES = """
import multiprocessing, sys, jobs

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    context.set_forkserver_preload(["jobs"])
    children = [
        context.Process(target=jobs.publish, args=(f"child {child}", 200)) for child in range(4)
    ]
    for number, child in enumerate(children):
        child.start()
        jobs.broker.publish({"sender_id": "parent", "number": number})
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 4
"""
POOL = """
import multiprocessing, sys, jobs
from concurrent.futures import ProcessPoolExecutor

if __name__ == "__main__":
    for number in range(4):
        jobs.broker.publish({"sender_id": "parent", "number": number})
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(4, mp_context=context) as pool:
        workers = set(pool.map(jobs.publish_chunk, range(32)))
    assert workers, "none has worked"
"""
FORKS = """
import os, jobs

def main():
    children = []
    for number in range(4):
        jobs.broker.publish({"sender_id": "parent", "number": number})
        child = os.fork()
        if child == 0:
            jobs.publish(f"child {number}", 200)
            return  # and so to the end of the program
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4

main()
"""
FORKS_AND_GRANDCHILDREN = """
import os, sys, jobs

jobs.publish("parent", 4)
family = os.fork()
if family == 0:
    jobs.publish("child 0", 200)
    for number in range(1, 4):
        grandchild = os.fork()
        if grandchild == 0:
            jobs.publish(f"child {number}", 200)
            sys.exit()
        assert os.waitpid(grandchild, 0)[1] == 0
else:
    assert os.waitpid(family, 0)[1] == 0
"""


@pytest.mark.parametrize("waits", ["memory", "spool"])
@pytest.mark.parametrize(
    ("program", "method"),
    [
        pytest.param(PROCESSES, "fork", id="multiprocessing-fork"),
        pytest.param(PROCESSES, "spawn", id="multiprocessing-spawn"),
        pytest.param(PROCESSES, "forkserver", id="multiprocessing-forkserver"),
        pytest.param(FORKS, "fork", id="os.fork"),
        pytest.param(FORKS_AND_GRANDCHILDREN, "fork", id="os.fork-grandchildren"),
    ],
)
def test_every_event_of_a_child_that_ends_without_close_arrives(
    programs: Programs, program: str, method: str, waits: str, is_whole: bool
) -> None:
    """Once, whether the parent had a broker already, or the child has made its own."""
    programs.write("jobs.py", JOBS)
    programs.write("section.json", json.dumps(programs.sql_section(waits)))
    file = programs.write("program.py", program)
    for _ in range(10 if is_whole else 1):
        programs.database.unlink(missing_ok=True)
        done = programs.run(file, method)
        assert (done.code, done.complaints) == (0, [])
        expected = {("parent", number) for number in range(CHILDREN)}
        for child in range(CHILDREN):
            expected |= {(f"child {child}", number) for number in range(EVENTS_EACH)}
        assert programs.rows() == dict.fromkeys(expected, 1)


@pytest.mark.parametrize("waits", ["memory", "spool"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_every_event_of_a_pool_of_processes_arrives(
    programs: Programs, method: str, waits: str
) -> None:
    """Its workers end without `close`, when there is nothing more to do."""
    programs.write("jobs.py", JOBS)
    programs.write("section.json", json.dumps(programs.sql_section(waits)))
    done = programs.run(programs.write("program.py", POOL), method)
    assert (done.code, done.complaints) == (0, [])
    expected = {("parent", number) for number in range(4)}
    expected |= {("pool", number) for number in range(32 * 25)}
    assert programs.rows() == dict.fromkeys(expected, 1)


IDLE_CHILDREN = """
import json, multiprocessing, os, pathlib, sys, time, event_brokers

section = json.loads(sys.argv[1])
if sys.argv[2] == "connects":
    section["blocks_in"] = os.getpid()
broker = event_brokers.connect(section)
broker.publish({"number": 0})
if sys.argv[2] == "connects":
    while not pathlib.Path(section["file"] + ".connecting").exists():
        time.sleep(0.001)
else:
    while broker.status().state != "retrying":
        time.sleep(0.001)

def idle():
    pass

started = time.monotonic()
child = multiprocessing.get_context("fork").Process(target=idle)
child.start()
child.join()
assert child.exitcode == 0
child = os.fork()
if child == 0:
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
print(time.monotonic() - started)
sys.stdout.flush()
os._exit(0)  # the parent itself would wait for its broker
"""


@pytest.mark.parametrize("waits", ["memory", "spool"])
@pytest.mark.parametrize("parent", ["connects", "finds nobody"])
def test_a_child_that_does_not_use_the_broker_ends_at_once(
    programs: Programs, parent: str, waits: str
) -> None:
    """It does not wait for the parent's broker: `exit_timeout` is a minute here."""
    section = programs.section(waits, unreachable=parent == "finds nobody")
    done = programs.run("-c", IDLE_CHILDREN, json.dumps(section), parent)
    assert (done.code, [line for line in done.err.splitlines() if "nobody" not in line]) == (0, [])
    assert float(done.out) < 10


FORKS_WHILE_CONNECTING = """
import json, os, pathlib, sys, time, event_brokers

section = json.loads(sys.argv[1])
section["blocks_in"] = os.getpid()
broker = event_brokers.connect(section)
while not pathlib.Path(section["file"] + ".connecting").exists():
    time.sleep(0.001)
seconds = 0.0
for number in range(20):
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        if number % 10 == 0:
            broker.publish({"number": number})
            broker.close(float(sys.argv[2]))
        os._exit(0)
    seconds += time.monotonic() - started
    assert os.waitpid(child, 0)[1] == 0
print(seconds)
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.parametrize("waits", ["memory", "spool"])
def test_a_fork_does_not_wait_while_the_parent_connects(programs: Programs, waits: str) -> None:
    """Twenty forks amid a `connect` that never ends; a child delivers what it publishes.

    A fork that waits for a second each time, as long as a plugin may connect, takes twenty.
    """
    section = programs.section(waits)
    # from the spool the parent delivers, or would: what the children have left is not lost
    patience = {"memory": "60", "spool": "0"}[waits]
    done = programs.run("-c", FORKS_WHILE_CONNECTING, json.dumps(section), patience)
    assert (done.code, done.err) == (0, "")
    assert float(done.out) < 10
    assert programs.arrivals_with_spool() == {0: 1, 10: 1}
