"""The collector shows what is open in the process, and every spool whoever delivers it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from event_brokers import (
    ConfigurationError,
    Event,
    EventBroker,
    RejectedEvents,
    endpoints,
)
from event_brokers.consumer import consume
from event_brokers.delays import Delays
from event_brokers.metric_table import METRICS, Kind
from event_brokers.metrics import EventBrokersCollector
from event_brokers.testing import MemoryBroker
from metric_samples import Samples, duplicates
from waiting import next_line, wait_until

pytestmark = pytest.mark.usefixtures("alone")

QUICK = Delays(first=0.001, first_halted=0.001, longest=0.01)


def samples() -> Samples:
    """Return what the collector of this process shows now."""
    return Samples.of(EventBrokersCollector())


def test_accepted_is_delivered_and_pending_and_dead_letters(tmp_path: Path) -> None:
    """At once in memory and in a spool, while events wait, are refused, and leave."""
    for delivery in ({}, {"spool": str(tmp_path / "spool")}):
        memory = MemoryBroker(QUICK)
        memory.refuse("refused")
        memory.hang()
        with memory.start(**delivery) as broker:
            broker.publish({"n": 0}, event_id="refused")
            broker.publish_many([{"n": n} for n in range(1, 10)])
            shown = samples()
            assert (shown.value("pending"), shown.value("accepted_total")) == (10, 10)
            assert shown.value("oldest_pending_seconds") > 0
            assert shown.value("queue_bytes") > 0
            memory.answer()
            broker.flush(20)
            shown = samples()
            scope = "spool" if delivery else "process"
            assert shown.of_brokers("scope") == {scope}
            assert shown.value("delivered_total", scope=scope) == 9
            assert shown.value("dead_letters", scope=scope) == 1
            assert shown.value("pending", scope=scope) == 0
            assert shown.value("accepted_total", scope=scope) == 10
            assert shown.value("oldest_pending_seconds") == 0


def test_an_outage_is_told_by_state_attempts_failures_and_reconnects() -> None:
    """One state at a time; failures by the class that the contract of plugins tells apart."""
    memory = MemoryBroker(QUICK)
    with memory.start() as broker:
        wait_until(lambda: samples().state() == "connected")
        memory.fail_to_connect(2)
        memory.fail_to_connect(100_000, ConfigurationError("event_broker.password: is wrong"))
        memory.fail()
        broker.publish({"n": 1})
        wait_until(lambda: samples().state() == "halted")
        shown = samples()
        assert shown.value("pending") == 1
        assert shown.value("state_age_seconds") >= 0
        memory.connects.clear()
        broker.flush(20)
        shown = samples()
    assert shown.state() == "connected"
    unavailable = {"error_type": "unavailable"}
    assert shown.value("failures_total", operation="publish", **unavailable) == 1
    assert shown.value("failures_total", operation="connect", **unavailable) == 2
    assert shown.value("failures_total", operation="connect", error_type="configuration") > 0
    failed = sum(shown.values("failures_total", operation="connect"))
    assert shown.value("attempts_total", operation="connect") == failed + 2
    assert shown.value("attempts_total", operation="publish") == 2
    assert shown.value("reconnects_total") == 1
    assert shown.value("delivered_total") == 1
    assert shown.value("last_confirm_age_seconds") >= 0


def test_rejected_events_count_as_such() -> None:
    """Not as an outage: there is one attempt and one failure for each refusal."""
    memory = MemoryBroker(QUICK)
    memory.publishes.append(RejectedEvents({"1": "too large"}))
    with memory.start() as broker:
        broker.publish({"n": 1}, event_id="1")
        broker.flush(20)
        shown = samples()
    assert shown.value("failures_total", operation="publish", error_type="rejected") == 1
    assert sum(shown.values("failures_total")) == 1


@pytest.mark.parametrize("spooled", [False, True])
def test_histograms_tell_of_every_event_and_batch(tmp_path: Path, spooled: bool) -> None:
    """How long each event took to be confirmed, how many a batch had, how long publish took."""
    memory = MemoryBroker(QUICK)
    memory.hang()
    with memory.start(**({"spool": str(tmp_path / "spool")} if spooled else {})) as broker:
        broker.publish({"n": 0})
        wait_until(lambda: memory.batches)
        broker.publish_many([{"n": n} for n in range(1, 100)])
        memory.answer()
        broker.flush(20)
        shown = samples()
        assert shown.value("delivery_duration_seconds_count") == 100
        assert shown.value("delivery_duration_seconds_sum") > 0
        assert shown.value("batch_events_count") == len(memory.batches) == 2
        assert shown.value("batch_events_sum") == 100
        assert shown.value("batch_events_bucket", le="1.0") == 1
        assert shown.value("batch_events_bucket", le="+Inf") == 2
        # counted by the thread that watches, once a second
        wait_until(lambda: samples().value("publish_duration_seconds_count"))


def test_brokers_are_told_apart_by_name_and_vanish_when_closed() -> None:
    """A name of the application's, or the type and a number, which stays whose it is."""
    first, second = MemoryBroker(), MemoryBroker()
    with first.start() as broker, second.start():
        named = EventBroker(MemoryBroker().settings(), name="audit")
        shown = samples()
        assert shown.of_brokers("name") == {"memory", "memory-2", "audit"}
        assert shown.of_brokers("type") == {"memory"}
        assert not duplicates(shown.all)
        named.close()
        broker.close()
        assert samples().of_brokers("name") == {"memory-2"}
        with MemoryBroker().start():
            assert samples().of_brokers("name") == {"memory", "memory-2"}
    gc.collect()
    assert not samples().of_brokers("name")


def test_a_broker_that_is_closed_on_a_thread_of_its_own_vanishes_too() -> None:
    """Where `close` cannot wait for the end, as in a hook or a handler of the log."""
    memory = MemoryBroker()
    broker = memory.start()

    def close(_events: Sequence[Event]) -> None:
        broker.close()

    memory.publishes.append(close)
    broker.publish({"n": 1})
    wait_until(lambda: not samples().of_brokers("name"))
    assert len(memory.arrived) == 1


def test_a_spool_stands_there_once_however_many_brokers_share_it(tmp_path: Path) -> None:
    """Two brokers and a section that names it: one set of counts, and latencies of each process."""
    memory = MemoryBroker()
    delivery = {"spool": str(tmp_path / "spool")}
    with memory.start(**delivery) as one, memory.start(**delivery) as other:
        one.publish({"n": 1})
        other.publish({"n": 2})
        one.flush(20)
        shown = Samples.of(EventBrokersCollector([memory.settings(**delivery)]))
        assert shown.value("delivered_total", scope="spool") == 2
        assert len(shown.values("reconnects_total")) == 2
        assert not duplicates(shown.all)


def test_a_spool_is_shown_whoever_delivers_it(tmp_path: Path) -> None:
    """Also while nobody does, and before anybody has published; nothing is made by looking."""
    folder = tmp_path / "spool"
    settings = MemoryBroker().settings(spool=str(folder))
    collector = EventBrokersCollector([settings])
    shown = Samples.of(collector)
    assert (shown.value("accepted_total", scope="spool"), shown.state()) == (0, "unattended")
    assert not folder.exists()
    memory = MemoryBroker(QUICK)
    memory.fail_to_connect(1000)
    broker = memory.start(spool=str(folder))
    broker.publish({"n": 1})
    wait_until(lambda: broker.status().state == "retrying")
    broker.close(timeout=0)
    shown = Samples.of(collector)
    assert (shown.value("pending"), shown.state()) == (1, "unattended")
    assert shown.value("spool_readable") == 1
    assert shown.values("attempts_total") == []


def test_what_another_process_delivers_is_the_same_here(tmp_path: Path) -> None:
    """Counts, state, and when the broker last confirmed; only latencies are of each process."""
    section = {
        "type": "sql", "db": str(tmp_path / "events.db"),
        "delivery": {"spool": str(tmp_path / "spool")},
    }  # fmt: skip
    program = (
        f"import event_brokers, sys\nwith event_brokers.connect({section!r}) as broker:\n"
        "    broker.publish_many([{'n': n} for n in range(50)])\n"
        "    assert broker.flush(60).delivered == 50\n"
        "    print('delivered', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        assert next_line(process) == "delivered"
        collector = EventBrokersCollector([endpoints.read(section)])
        shown = Samples.of(collector)
        assert shown.value("delivered_total", type="sql", scope="spool") == 50
        assert shown.state() == "connected"
        assert shown.value("last_confirm_age_seconds") >= 0
        process.communicate("")
    assert Samples.of(collector).state() == "unattended"


def test_a_spool_that_cannot_be_read_hides_its_counts_alone(tmp_path: Path) -> None:
    """The scrape goes on for all the others, and says which one it is."""
    folder = tmp_path / "spool"
    folder.write_text("a file", encoding="utf-8")
    broken = MemoryBroker().settings(spool=str(folder))
    with MemoryBroker().start():
        shown = Samples.of(EventBrokersCollector([broken]))
    assert shown.value("spool_readable", scope="spool") == 0
    assert shown.values("pending", scope="spool") == []
    assert shown.value("pending", scope="process") == 0


def test_a_section_without_a_spool_is_refused_in_a_sentence() -> None:
    """What waits in another process's memory cannot be seen."""
    with pytest.raises(ConfigurationError, match=r"delivery\.spool: events wait in memory"):
        EventBrokersCollector([MemoryBroker().settings()])


def test_a_consumer_tells_how_many_events_it_handed_out(tmp_path: Path) -> None:
    """Until it is closed; by type and group."""
    section = {"type": "sql", "db": str(tmp_path / "events.db")}
    with endpoints_broker(section) as broker:
        broker.publish_many([{"n": n} for n in range(3)])
        broker.flush(20)
    with consume(section, group="audit", from_start=True) as consumer:
        for _ in range(3):
            next(consumer)
        assert samples().value("consumer_received_total", type="sql", group="audit") == 3
    assert samples().values("consumer_received_total") == []


def test_consumers_keep_their_numbers_until_they_are_closed(tmp_path: Path) -> None:
    """So that no count goes on as another one's."""
    section = {"type": "sql", "db": str(tmp_path / "events.db")}
    with endpoints_broker(section) as broker:
        broker.publish({"n": 1})
        broker.flush(20)
    first, second = (consume(section, group, from_start=True) for group in ("a", "b"))
    with second:
        with first:
            next(second)
            assert samples().value("consumer_received_total", name="sql") == 0
            assert samples().value("consumer_received_total", name="sql-2") == 1
        assert samples().value("consumer_received_total") == 1
        assert samples().value("consumer_received_total", name="sql-2") == 1


def endpoints_broker(section: dict[str, str]) -> EventBroker:
    """Return a broker of a section."""
    return EventBroker(endpoints.read(section))


def test_a_forked_child_counts_for_itself() -> None:
    """A broker that it never used is none of its own; one that it uses begins at 0."""
    memory = MemoryBroker()
    with memory.start() as broker:
        broker.publish_many([{"n": n} for n in range(10)])
        broker.flush(20)

        def use() -> None:
            assert samples().values("delivered_total") == []
            broker.publish({"n": 11})
            broker.flush(20)
            shown = samples()
            assert shown.value("delivered_total") == 1
            assert shown.value("delivery_duration_seconds_count") == 1

        in_forked_child(use)
        assert samples().value("delivered_total") == 10


def test_a_forked_child_shows_no_consumer_of_its_parent(tmp_path: Path) -> None:
    """Its events would be counted in both."""
    section = {"type": "sql", "db": str(tmp_path / "events.db")}

    def look() -> None:
        assert samples().values("consumer_received_total") == []

    with consume(section):
        in_forked_child(look)
        assert samples().values("consumer_received_total") == [0]


def in_forked_child(work: Callable[[], None]) -> None:
    """Do something in a child, and wait until it has succeeded."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    found: list[int] = []

    def has_ended() -> bool:
        process, status = os.waitpid(child, os.WNOHANG)
        found.append(status)
        return process == child

    try:
        wait_until(has_ended, 60)
    except AssertionError:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    assert os.waitstatus_to_exitcode(found[-1]) == 0


def test_every_metric_of_the_table_is_shown_and_no_other() -> None:
    """Names after Prometheus: a counter ends in _total, and a unit is a suffix."""
    memory = MemoryBroker()
    families = {family.name for family in EventBrokersCollector().describe()}
    assert families == {each.name.removesuffix("_total") for each in METRICS}
    assert all(each.name.endswith("_total") == (each.kind is Kind.COUNTER) for each in METRICS)
    with memory.start() as broker:
        broker.publish({"n": 1})
        broker.flush(20)
        shown = {family.name for family in EventBrokersCollector().collect() if family.samples}
    assert families - shown == {"event_brokers_consumer_received"}


def test_without_the_extra_importing_says_what_to_install() -> None:
    """One sentence with the pip command, and an error that says which module is missing."""
    program = (
        "import sys\nsys.modules['prometheus_client'] = None\n"
        "try:\n    import event_brokers.metrics\n"
        "except ModuleNotFoundError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == (
        'event_brokers.metrics needs prometheus_client; pip install "event-brokers[prometheus]"\n'
    )
