"""`aflush` and `aclose` can be cancelled, and use no thread of the application's executor."""

from __future__ import annotations

import json

import pytest

from host_programs.running import Programs

TIMES_OUT = """
import asyncio, json, sys, event_brokers

async def main():
    broker = event_brokers.connect(json.loads(sys.argv[1]))
    broker.publish({"number": 0})
    for _ in range(int(sys.argv[2])):
        try:
            await asyncio.wait_for(broker.aflush(), 0.05)
        except asyncio.TimeoutError:
            continue
        raise AssertionError("the broker does not answer")

asyncio.run(main())
"""
EIGHT_TIME_OUT = """
import asyncio, json, sys, event_brokers
from concurrent.futures import ThreadPoolExecutor

async def main():
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(8))
    broker = event_brokers.connect(json.loads(sys.argv[1]))
    broker.publish({"number": 0})
    waiting = [asyncio.wait_for(broker.aflush(), 0.05) for _ in range(8)]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {asyncio.TimeoutError}, results
    answers = [asyncio.to_thread(str, number) for number in range(8)]
    print(await asyncio.wait_for(asyncio.gather(*answers), 20))

asyncio.run(main())
"""
USES_NO_EXECUTOR = """
import asyncio, json, sys, event_brokers
from concurrent.futures import ThreadPoolExecutor

class Busy(ThreadPoolExecutor):
    def submit(self, *call, **options):
        raise AssertionError("the executor is the application's own")

async def main():
    asyncio.get_running_loop().set_default_executor(Busy(1))
    async with event_brokers.connect(json.loads(sys.argv[1])) as broker:
        broker.publish({"number": 0})
        assert (await broker.aflush(20)).delivered == 1
        broker.publish({"number": 1})
    assert broker.status().delivered == 2
    assert (await broker.aclose()).state == "closed"

asyncio.run(main())
"""
# every wait is cut short, and then the broker answers, when nobody waits any more
GOES_ON_AFTERWARDS = """
import asyncio, json, sys, threading, event_brokers

async def cancel(awaitable):
    task = asyncio.ensure_future(awaitable)
    await asyncio.sleep(0.05)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return
    raise AssertionError("it was not cancelled")

async def wait_in_vain(broker):
    for _ in range(4):
        await cancel(broker.aflush())
    if sys.argv[2] == "aclose":
        await cancel(broker.aclose(60))

async def close(broker):
    status = await asyncio.wait_for(broker.aclose(60), 60)
    assert (status.state, status.pending) == ("closed", 0), status

broker = event_brokers.connect(json.loads(sys.argv[1]))
broker.publish({"number": 0})
asyncio.run(wait_in_vain(broker))
open("answers", "w").close()
if sys.argv[3] == "aclose":
    asyncio.run(close(broker))
else:
    status = broker.close(60)
    assert (status.state, status.pending) == ("closed", 0), status
assert broker.close().state == "closed"
"""


@pytest.mark.parametrize("waits", ["memory", "spool"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_flush_that_times_out_does_not_keep_the_program_from_ending(
    programs: Programs, times: int, waits: str
) -> None:
    """What was started for it ends with it, although the broker never answers."""
    section = programs.section(waits, waits_for="answers")
    section["delivery"]["exit_timeout"] = 0.1
    done = programs.run("-c", TIMES_OUT, json.dumps(section), str(times))
    assert done.code == 0
    assert "Traceback" not in done.err


@pytest.mark.parametrize("waits", ["memory", "spool"])
def test_flushes_that_time_out_leave_the_application_its_threads(
    programs: Programs, waits: str
) -> None:
    """Eight of them, and eight threads: what the application has to do is done."""
    section = programs.section(waits, waits_for="answers")
    section["delivery"]["exit_timeout"] = 0.1
    done = programs.run("-c", EIGHT_TIME_OUT, json.dumps(section))
    assert (done.code, done.out) == (0, f"{[str(number) for number in range(8)]}\n")
    assert "Traceback" not in done.err


@pytest.mark.parametrize("waits", ["memory", "spool"])
def test_waiting_uses_no_executor_of_the_application(programs: Programs, waits: str) -> None:
    """`async with`, `aflush` and `aclose` ask for none of its threads."""
    section = programs.section(waits)
    done = programs.run("-c", USES_NO_EXECUTOR, json.dumps(section))
    assert (done.code, done.err) == (0, "")
    assert programs.arrivals() == {0: 1, 1: 1}


@pytest.mark.parametrize("waits", ["memory", "spool"])
@pytest.mark.parametrize("closes", ["close", "aclose"])
@pytest.mark.parametrize("cancelled", ["aflush", "aclose"])
def test_what_was_cancelled_leaves_a_broker_that_can_be_closed(
    programs: Programs, cancelled: str, closes: str, waits: str
) -> None:
    """By `close` and by `aclose`, also after the loop is gone; then all was delivered, once."""
    section = programs.section(waits, waits_for="answers")
    done = programs.run("-c", GOES_ON_AFTERWARDS, json.dumps(section), cancelled, closes)
    assert (done.code, done.err) == (0, "")
    assert programs.arrivals() == {0: 1}
