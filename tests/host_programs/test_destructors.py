"""Destructors, weak references and exit functions may call the broker at any moment."""

from __future__ import annotations

import json

import pytest

from host_programs.running import LONGEST_SECONDS, Programs


@pytest.mark.parametrize("waits", ["memory", "spool"])
@pytest.mark.parametrize("how", ["del", "finalize"])
@pytest.mark.parametrize("call", ["close", "flush", "status", "publish"])
def test_collected_objects_may_call_the_broker_on_whatever_thread(
    programs: Programs, call: str, how: str, waits: str, is_whole: bool
) -> None:
    """The collector runs them amid `publish`, and on the thread that delivers, which never waits.

    What `close` there cannot deliver, it says; nothing that was accepted is lost without a word.
    """
    rounds = {"close": 10, "flush": 200, "status": 500, "publish": 500}[call]
    rounds = rounds * (10 if is_whole else 1)
    section = programs.section(waits, collects_garbage=True)
    arguments = (call, how, str(rounds), json.dumps(section))
    done = programs.run("-m", "host_programs.collected", *arguments, seconds=LONGEST_SECONDS)
    told = done.document
    assert told["failures"] == []
    assert done.err == ""
    assert told["calls"] >= rounds
    assert set(told["threads"]) - {"MainThread", "publisher"}, "the thread that delivers calls, too"
    arrived = programs.arrivals_with_spool()
    assert not set(told["refused"]) & set(arrived)
    assert set(arrived.values()) == {1}
    assert len(set(told["accepted"]) - set(arrived)) <= told["undelivered"]


CLOSED_BY_ITS_OWNER = """
import json, sys, weakref, event_brokers

class Closes:
    def __init__(self, broker):
        self.broker = broker
    def __del__(self):
        self.broker.close()

class Publishes:
    def __init__(self, broker):
        self.broker = broker
    def __del__(self):
        self.broker.publish({"number": 100})

class Finalizes:
    def __init__(self, broker):
        self.broker = broker
        weakref.finalize(self, broker.close)

make = {"closes": Closes, "publishes": Publishes, "finalizes": Finalizes}[sys.argv[2]]
service = make(event_brokers.connect(json.loads(sys.argv[1])))
for number in range(100):
    service.broker.publish({"number": number})
if sys.argv[3] == "let go":
    del service
"""


@pytest.mark.parametrize("waits", ["memory", "spool"])
@pytest.mark.parametrize("when", ["let go", "at the end of the program"])
@pytest.mark.parametrize("how", ["closes", "finalizes", "publishes"])
def test_an_object_that_owns_the_broker_may_close_it_when_it_is_collected(
    programs: Programs, how: str, when: str, waits: str
) -> None:
    """Also where that happens while the interpreter takes itself apart."""
    section = programs.section(waits)
    done = programs.run("-c", CLOSED_BY_ITS_OWNER, json.dumps(section), how, when)
    assert done.code == 0
    arrived = programs.arrivals_with_spool()
    assert set(range(100)) <= set(arrived)
    assert set(arrived.values()) == {1}
    if (how, when) == ("publishes", "at the end of the program"):
        # the broker was closed before; Python only shows what a destructor raises
        assert done.err.count("Traceback") == done.err.count("BrokerClosed: ") == 1
    else:
        assert done.err == ""


AT_EXIT = """
import atexit, json, sys, threading, event_brokers

def report():
    thread.join()
    print(len(accepted))

atexit.register(report)  # the first one, and so the last to be called
broker = event_brokers.connect(json.loads(sys.argv[1]))
accepted = []

def publish_until_closed():
    try:
        while True:
            number = len(accepted)
            broker.publish({"number": number}, timeout=60)
            accepted.append(number)
    except event_brokers.BrokerClosed:
        pass

thread = threading.Thread(target=publish_until_closed, daemon=True)
broker.publish({"number": -1})
broker.flush()
call = {
    "close": lambda: broker.close(60),
    "flush": lambda: broker.flush(60),
    "status": broker.status,
    "publish": lambda: broker.publish({"number": -2}, timeout=60),
}[sys.argv[2]]
atexit.register(call)
thread.start()
while len(accepted) < 200:
    broker.status()
"""


@pytest.mark.parametrize("waits", ["memory", "spool"])
@pytest.mark.parametrize("call", ["close", "flush", "status", "publish"])
def test_an_exit_function_may_call_the_broker_while_another_thread_publishes(
    programs: Programs, call: str, waits: str
) -> None:
    """The end waits for what was accepted, and the thread is told that it is over."""
    section = programs.section(waits)
    done = programs.run("-c", AT_EXIT, json.dumps(section), call)
    assert (done.code, done.err) == (0, "")
    accepted = int(done.out)
    assert accepted >= 200
    expected = {-1, *range(accepted)} | ({-2} if call == "publish" else set())
    assert programs.arrivals_with_spool() == dict.fromkeys(expected, 1)
