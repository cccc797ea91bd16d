"""What an application holds: publish never waits, close loses nothing silently."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import textwrap
import threading
from functools import partial
from pathlib import Path

import pytest

from event_brokers import (
    BrokerClosed,
    BrokerUnavailable,
    EventBroker,
    InvalidEvent,
    QueueFull,
    UndeliveredEvents,
)
from event_brokers.testing import MemoryBroker
from stand_in import write_plugin
from waiting import wait_until


def test_publish_does_not_wait_for_a_broker_that_does_not_answer() -> None:
    """Events are accepted while the broker hangs in the middle of a batch."""
    memory = MemoryBroker()
    memory.hang()
    with memory.start() as broker:
        broker.publish({})
        wait_until(lambda: memory.batches)
        for number in range(1000):
            broker.publish({"number": number})
        assert broker.status().pending == 1001
        memory.answer()
        assert broker.flush(20).delivered == 1001


def test_a_lone_event_leaves_at_once() -> None:
    """Nothing is collected for a while before it is sent: each event is a batch of its own."""
    memory = MemoryBroker()
    with memory.start() as broker:
        for _ in range(3):
            broker.publish({})
            broker.flush(20)
    assert [len(batch) for batch in memory.batches] == [1, 1, 1]


def test_a_full_queue_says_so_and_takes_nothing() -> None:
    """Memory is bounded: QueueFull from publish, and the reason in the status."""
    memory = MemoryBroker()
    memory.connects.extend([BrokerUnavailable("gone")] * 1000)
    broker = memory.start(max_pending=3)
    broker.publish_many([{}, {}])
    with pytest.raises(QueueFull, match=r"2 events wait and delivery\.max_pending is 3"):
        broker.publish_many([{}, {}])
    broker.publish({})
    with pytest.raises(QueueFull):
        broker.publish({})
    status = broker.status()
    assert (status.accepted, status.pending) == (3, 3)
    assert "the queue is full: 3 events wait" in str(status.last_error)
    memory.connects.clear()
    broker.publish({}, timeout=20)
    assert broker.close().delivered == 4


def test_publish_many_takes_all_or_none() -> None:
    """One event that JSON cannot say keeps all of them out, and is named by its place."""
    memory = MemoryBroker()
    with memory.start() as broker:
        with pytest.raises(InvalidEvent, match=r"events\[1\]: event\.x: NaN and infinity"):
            broker.publish_many([{}, {"x": float("nan")}])
        assert broker.status().accepted == 0
        assert broker.publish_many([]) == []


def test_an_id_that_still_waits_is_one_event() -> None:
    """Publishing again with the same id does not make a second event."""
    memory = MemoryBroker()
    memory.hang()
    with memory.start() as broker:
        assert broker.publish({}, event_id="one") == "one"
        broker.publish({}, event_id="one")
        memory.answer()
        assert broker.flush(20).accepted == 1
    assert memory.ids() == ["one"]


def test_close_says_how_many_events_are_left_and_why() -> None:
    """What memory mode cannot deliver in time is an error, not a silence."""
    memory = MemoryBroker()
    memory.connects.extend([BrokerUnavailable("localhost:5672 refused the connection")] * 1000)
    broker = memory.start()
    broker.publish_many([{}, {}])
    wait_until(lambda: broker.status().last_error)
    with pytest.raises(UndeliveredEvents) as caught:
        broker.close(timeout=0.05)
    assert caught.value.count == 2
    assert str(caught.value) == (
        "2 events were not delivered: localhost:5672 refused the connection"
    )
    assert broker.status().state == "closed"
    assert broker.close().pending == 2
    with pytest.raises(BrokerClosed):
        broker.publish({})


def test_close_returns_although_the_plugin_hangs() -> None:
    """A stuck broker costs the caller the timeout, and not more."""
    memory = MemoryBroker()
    memory.hang()
    broker = memory.start()
    broker.publish({})
    with pytest.raises(UndeliveredEvents):
        broker.close(timeout=0.05)
    memory.answer()
    wait_until(lambda: memory.open == 0)


def test_close_does_not_wait_out_a_long_delay() -> None:
    """Closing tries at once what would have been tried half a minute later."""
    memory = MemoryBroker()
    memory.connects.extend([BrokerUnavailable("gone")] * 12)
    broker = memory.start()
    broker.publish({})
    wait_until(lambda: memory.opened >= 5)
    memory.connects.clear()
    assert broker.close(timeout=20).delivered == 1


def fail_inside(broker: EventBroker) -> None:
    """Raise the application's own error while an event is pending."""
    with broker:
        broker.publish({})
        raise KeyError("mine")


def test_leaving_a_with_block_never_masks_the_error_on_its_way_out(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application's own exception arrives; the undelivered events stand in the log."""
    memory = MemoryBroker()
    memory.connects.extend([BrokerUnavailable("gone")] * 1000)
    broker = memory.start()
    monkeypatch.setattr(broker, "close", partial(broker.close, 0.05))
    with pytest.raises(KeyError, match="mine"):
        fail_inside(broker)
    assert any("1 event was not delivered" in record.message for record in caplog.records)


def test_leaving_a_with_block_raises_where_nothing_else_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Undelivered events are an error at the end of a with block, too."""
    memory = MemoryBroker()
    memory.connects.extend([BrokerUnavailable("gone")] * 1000)
    broker = memory.start()
    monkeypatch.setattr(broker, "close", partial(broker.close, 0.05))
    with pytest.raises(UndeliveredEvents), broker:
        broker.publish({})


def test_asyncio_callers_wait_without_blocking_their_loop() -> None:
    """`async with`, `aflush` and `aclose` let other tasks run meanwhile."""
    memory = MemoryBroker()
    memory.hang()

    async def main() -> None:
        async with memory.start() as broker:
            broker.publish({})
            flushed = asyncio.create_task(broker.aflush(20))
            await asyncio.to_thread(wait_until, lambda: memory.batches)
            assert not flushed.done()
            memory.answer()
            assert (await flushed).delivered == 1
        assert (await broker.aclose()).state == "closed"

    asyncio.run(main())


def test_flush_waits_for_what_was_accepted_before_it_and_no_longer() -> None:
    """A stream without end does not keep flush from returning."""
    memory = MemoryBroker()
    with memory.start() as broker:
        ended = threading.Event()

        def publish_on() -> None:
            while not ended.is_set():
                broker.publish({}, timeout=20)

        publisher = threading.Thread(target=publish_on)
        publisher.start()
        try:
            assert broker.flush(20).delivered >= 0
        finally:
            ended.set()
            publisher.join()


def test_nothing_shows_an_event_or_an_option(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the broker's repr nor its log holds a body."""
    caplog.set_level(logging.DEBUG)
    memory = MemoryBroker()
    with memory.start() as broker:
        broker.publish({"text": "canary"})
        broker.flush(20)
        shown = f"{broker!r} {broker.status()!r}"
    assert "canary" not in shown + caplog.text


FILE_PLUGIN = """
import atexit, os, threading, time
from event_brokers import hookimpl

@hookimpl
def connect(options):
    # a client library that starts a thread, and closes itself at the end of the program
    threading.Thread(target=lambda: None, daemon=True).start()
    connection = {"path": options["path"], "open": True}
    atexit.register(connection.update, open=False)
    return connection

@hookimpl
def publish(connection, events):
    time.sleep(float(os.environ.get("SECONDS", "0")))
    if not connection["open"]:
        raise OSError("the client library has closed itself")
    with open(connection["path"], "ab") as file:
        file.writelines(event.body + b"\\n" for event in events)

@hookimpl
def close(connection): pass
"""


def run_program(folder: Path, program: str, **environment: str) -> tuple[list[str], str]:
    """Run a program with the file plugin; return the lines that arrived, and its stderr."""
    write_plugin(folder, "journal", FILE_PLUGIN)
    arrived = folder / "arrived"
    arrived.touch()
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(arrived)],
        env={"PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return arrived.read_text().splitlines(), ended.stderr


def test_a_program_that_forgets_to_close_delivers_all_the_same(tmp_path: Path) -> None:
    """The end of the program drains, before the client library's own exit handler."""
    arrived, stderr = run_program(
        tmp_path,
        """
        import sys, event_brokers
        broker = event_brokers.connect({"type": "journal", "path": sys.argv[1]})
        for number in range(1000):
            broker.publish({"number": number})
        """,
        SECONDS="0.2",
    )
    assert len(arrived) == 1000
    assert stderr == ""


def test_exit_functions_and_late_threads_can_still_publish(tmp_path: Path) -> None:
    """Draining does not close the broker under those who publish until the very end."""
    arrived, stderr = run_program(
        tmp_path,
        """
        import atexit, sys, threading, event_brokers
        broker = event_brokers.connect({"type": "journal", "path": sys.argv[1]})
        broker.publish({"from": "main"})
        broker.flush()
        atexit.register(lambda: broker.publish({"from": "atexit"}))
        main = threading.main_thread()
        threading.Thread(target=lambda: (main.join(), broker.publish({"from": "thread"}))).start()
        """,
    )
    assert sorted(arrived) == ['{"from":"atexit"}', '{"from":"main"}', '{"from":"thread"}']
    assert stderr == ""


def test_a_stuck_broker_never_keeps_the_program_from_ending(tmp_path: Path) -> None:
    """After `delivery.exit_timeout` the program ends, and says how many events are lost."""
    arrived, stderr = run_program(
        tmp_path,
        """
        import sys, event_brokers
        broker = event_brokers.connect(
            {"type": "journal", "path": sys.argv[1], "delivery": {"exit_timeout": 0.1}}
        )
        broker.publish({})
        """,
        SECONDS="50",
    )
    assert arrived == []
    assert "1 event was not delivered" in stderr
    assert "Traceback" not in stderr
