"""An exception that a signal handler raises within `publish` leaves a broker that works."""

from __future__ import annotations

import json
import random
import signal

import pytest

from host_programs.running import LONGEST_SECONDS, Programs, ended
from host_programs.test_signals import signal_soon

GOES_ON_AFTER_CTRL_C = """
import json, signal, sys, threading, event_brokers
signal.signal(signal.SIGINT, signal.default_int_handler)
broker = event_brokers.connect(json.loads(sys.argv[1]))
broker.flush()
number = 0
try:
    print("ready", flush=True)
    while True:
        broker.publish({"number": number}, timeout=60)
        number += 1
except KeyboardInterrupt:
    pass

def go_on(first):
    for number in range(first, first + 10):
        broker.publish({"number": number})
    broker.flush()

go_on(-10)
thread = threading.Thread(target=go_on, args=[-20])
thread.start()
thread.join()
status = broker.flush()
assert status.accepted == status.delivered, status
status = broker.close()
assert status.accepted == status.delivered, status
print(json.dumps([number, status.delivered]))
"""


@pytest.mark.parametrize("waits", ["memory", "spool"])
def test_after_ctrl_c_all_threads_publish_flush_and_close(
    programs: Programs, waits: str, is_whole: bool
) -> None:
    """An application that catches it goes on with the broker it has."""
    section = programs.section(waits)
    chance = random.Random(waits)
    delivered_before = 0
    for _ in range(60 if is_whole else 10):
        programs.forget_arrived()
        with programs.start("-c", GOES_ON_AFTER_CTRL_C, json.dumps(section)) as process:
            signal_soon(process, signal.SIGINT, chance.uniform(0, 0.03))
            done = ended(process)
        assert (done.code, done.err) == (0, "")
        accepted, delivered = json.loads(done.out)
        arrived = programs.arrivals()
        certain = set(range(-20, accepted))
        # nobody knows whether the one that was under way was accepted
        assert certain <= set(arrived) <= certain | {accepted}
        assert set(arrived.values()) == {1}
        if waits == "spool":  # which counts the events of all programs
            delivered, delivered_before = delivered - delivered_before, delivered
        assert delivered == len(arrived)


@pytest.mark.parametrize("waits", ["memory", "spool"])
@pytest.mark.parametrize("exception", ["OutOfTime", "KeyboardInterrupt"])
def test_a_time_limit_may_strike_between_any_two_steps_of_publish(
    programs: Programs, exception: str, waits: str, is_whole: bool
) -> None:
    """Hundreds of times: what was accepted arrives once, and what was not at most once."""
    rounds = {"memory": 400, "spool": 100}[waits] * (10 if is_whole else 1)
    section = programs.section(waits)
    arguments = (exception, str(rounds), json.dumps(section))
    done = programs.run("-m", "host_programs.interrupted", *arguments, seconds=LONGEST_SECONDS)
    told = done.document
    assert done.err == ""
    assert len(told["interrupted"]) == rounds
    arrived = programs.arrivals()
    certain = set(told["accepted"])
    assert certain <= set(arrived) <= certain | set(told["interrupted"])
    assert set(arrived.values()) == {1}
    assert told["counts"] == [len(arrived), len(arrived)]
