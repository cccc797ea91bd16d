"""A signal handler may call the broker at any moment, whatever the interrupted thread is doing."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading

import pytest

from host_programs.running import LONGEST_SECONDS, Programs, ended

CLOSES = """
def end(*_):
    broker.close()
"""
CLOSES_AND_EXITS = """
def end(*_):
    broker.close()
    sys.exit()
"""
EXITS = """
def end(*_):
    sys.exit()
"""
EXITS_AND_CLOSES_AT_EXIT = """
def end(*_):
    sys.exit()
atexit.register(broker.close)
"""
EXITS_AND_USES_THE_BROKER_AT_EXIT = """
def end(*_):
    sys.exit()
def at_exit():
    broker.publish({"number": -1})
    broker.status()
    broker.flush()
atexit.register(at_exit)
"""
PUBLISHES_UNTIL_TOLD = """
import atexit, json, signal, sys, event_brokers
broker = event_brokers.connect(json.loads(sys.argv[1]))
broker.publish({{"number": -2}})
broker.flush()  # so that it is connected
{handler}
number = first = int(sys.argv[2])
signal.signal(signal.SIGTERM, end)
try:
    print("ready", flush=True)
    while True:
        broker.publish({{"number": number}}, timeout=60)
        number += 1
except event_brokers.BrokerClosed:
    pass
finally:
    print(number - first)
"""


@pytest.mark.parametrize("waits", ["memory", "spool"])
@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(CLOSES, id="close"),
        pytest.param(CLOSES_AND_EXITS, id="close, then exit"),
        pytest.param(EXITS, id="exit"),
        pytest.param(EXITS_AND_CLOSES_AT_EXIT, id="exit, with an exit function that closes"),
        pytest.param(EXITS_AND_USES_THE_BROKER_AT_EXIT, id="exit, with one that publishes"),
    ],
)
def test_sigterm_at_any_moment_ends_the_program_and_loses_nothing(
    programs: Programs, handler: str, waits: str, is_whole: bool
) -> None:
    """A handler that calls `close`, or `sys.exit`, is all it takes, amid whatever it strikes."""
    section = programs.section(waits)
    chance = random.Random(handler + waits)
    for _ in range(60 if is_whole else 6):
        programs.forget_arrived()
        program = PUBLISHES_UNTIL_TOLD.format(handler=handler)
        with programs.start("-c", program, json.dumps(section), "0") as process:
            signal_soon(process, signal.SIGTERM, chance.uniform(0, 0.03))
            done = ended(process)
        assert (done.code, done.err) == (0, "")
        accepted = int(done.out)
        arrived = programs.arrivals_with_spool()
        # the one that was under way may have been accepted, where an exception has ended it
        under_way = {accepted} if "sys.exit" in handler else set()
        certain = {-2, *range(accepted)} | ({-1} if "-1" in handler else set())
        assert certain <= set(arrived) <= certain | under_way
        assert set(arrived.values()) <= {1}


def test_what_close_leaves_in_the_spool_when_a_signal_arrives_is_there_for_the_next(
    programs: Programs, is_whole: bool
) -> None:
    """The handler has no time: what it cannot deliver stays in the spool."""
    section = programs.section("spool", seconds=0.3)
    program = PUBLISHES_UNTIL_TOLD.format(handler=CLOSES.replace("close()", "close(0.01)"))
    accepted = 0
    chance = random.Random(1)
    for _ in range(40 if is_whole else 4):
        with programs.start("-c", program, json.dumps(section), str(accepted)) as process:
            signal_soon(process, signal.SIGTERM, chance.uniform(0, 0.05))
            done = ended(process)
        assert (done.code, done.err) == (0, "")
        accepted += int(done.out)
    # what was being delivered when the time was over arrives once more
    assert set(programs.arrivals_with_spool()) == {-2, *range(accepted)}


@pytest.mark.parametrize("waits", ["memory", "spool"])
@pytest.mark.parametrize("call", ["close", "flush", "status", "publish"])
def test_a_handler_may_call_the_broker_between_any_two_steps_of_publish(
    programs: Programs, call: str, waits: str, is_whole: bool
) -> None:
    """Hundreds of signals within `publish`: none waits for what its own thread holds."""
    rounds = {"memory": 300, "spool": 60}[waits] * (10 if is_whole else 1)
    section = programs.section(waits)
    arguments = (call, str(rounds), json.dumps(section))
    done = programs.run("-m", "host_programs.signalled", *arguments, seconds=LONGEST_SECONDS)
    told = done.document
    assert done.err == ""
    assert len(told["accepted"]) > rounds
    arrived = programs.arrivals_with_spool()
    assert not set(told["refused"]) & set(arrived), "close has said that they were not accepted"
    assert set(arrived.values()) == {1}
    assert len(set(told["accepted"]) - set(arrived)) <= told["undelivered"]


def signal_soon(process: subprocess.Popen[str], number: int, seconds: float) -> None:
    """Send a signal a while after the program has said that it is ready.

    Parameters:
        process: says one line.
        number: the signal.
        seconds: from then on.
    """
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    timer = threading.Timer(seconds, process.send_signal, [number])
    timer.start()
    timer.join()
