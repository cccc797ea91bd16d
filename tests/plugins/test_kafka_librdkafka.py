"""What is special about librdkafka: its threads, forks, reports, and what its wheels lack."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.util import find_spec
from typing import Any

import psutil
import pytest
from confluent_kafka import KafkaError, Message
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.admin import NewTopic

import event_brokers
from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Event,
    RejectedEvents,
    Secret,
    endpoints,
)
from event_brokers_kafka import KafkaOptions, client_traits, limits, mechanisms
from event_brokers_kafka.connection import Connection
from event_brokers_kafka.consumer import consume
from event_brokers_kafka.failures import UNHEARD, Kind, translate_failures
from event_brokers_kafka.librdkafka.failures import (
    Report,
    concern_batches,
    failure_of,
    failures_of,
)
from event_brokers_kafka.librdkafka.reports import Callback, Reports
from servers import Kafka
from waiting import wait_until

pytestmark = pytest.mark.xdist_group("kafka")

CANARY = "Canary-8642"
SENDERS = ["", "a", "ünï", "conversation-1", *(f"s{number}" for number in range(60))]
ANSWER_SECONDS = 30.0


def options(server: Kafka, name: str, **given: Any) -> KafkaOptions:
    """Return options for the listener without login and TLS."""
    return KafkaOptions(
        **{"url": server.bootstrap(), "topic": name, "client": "librdkafka"} | given
    )


def connected(server: Kafka, name: str, **given: Any) -> closing[Connection]:
    """Return a connection that is closed with the block."""
    return closing(Connection(options(server, name, **given), set()))


def numbered(count: int) -> list[Event]:
    """Return events of one conversation."""
    return [Event.from_dict({"sender_id": "s", "n": number}) for number in range(count)]


def partitions_of_senders(server: Kafka, topic: str) -> dict[bytes, set[int]]:
    """Return the partitions in which the events of each sender stand."""
    consumer = KafkaConsumer(
        topic, bootstrap_servers=server.bootstrap(), auto_offset_reset="earliest"
    )
    found: dict[bytes, set[int]] = {}
    seen = 0

    def has_all() -> bool:
        nonlocal seen
        for records in consumer.poll(timeout_ms=100).values():
            for record in records:
                found.setdefault(record.key, set()).add(record.partition)
                seen += 1
        return seen >= 2 * len(SENDERS)

    with closing(consumer):
        wait_until(has_all)
    return found


def test_both_clients_put_a_sender_into_the_same_partition(kafka: Kafka, name: str) -> None:
    """Whoever changes the client does not tear a conversation in two."""
    with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap())) as admin:
        admin.create_topics([NewTopic(name, 7, 1)])
    events = [Event.from_dict({"sender_id": sender}) for sender in SENDERS]
    for client in ("kafka-python", "librdkafka"):
        with connected(kafka, name, client=client) as opened:
            opened.publish(events)
    found = partitions_of_senders(kafka, name)
    assert found.keys() == {sender.encode() for sender in SENDERS}
    assert all(len(partitions) == 1 for partitions in found.values())
    assert len(set.union(*found.values())) == 7


def test_a_hundred_connections_leave_no_thread_and_no_socket(kafka: Kafka, name: str) -> None:
    """Neither those that published, nor those that only connected, nor those that consumed."""
    process = psutil.Process()

    def cycle() -> None:
        with connected(kafka, name) as opened:
            opened.publish(numbered(1))
        with connected(kafka, name):
            pass
        with closing(consume(options(kafka, name), None, True, set())) as received:
            next(received)

    cycle()
    before = process.num_threads(), process.num_fds()
    for _ in range(34):
        cycle()
    wait_until(lambda: process.num_threads() <= before[0] and process.num_fds() <= before[1])


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a batch little time."""
    monkeypatch.setattr(limits, "DELIVERY_SECONDS", 2.0)


@pytest.mark.usefixtures("hurried")
def test_of_a_batch_that_is_given_up_nothing_stays_behind(kafka: Kafka, name: str) -> None:
    """What was confirmed is said, what was not waits in no queue of librdkafka's, and comes again.

    The closing is bounded although the server still does not answer.
    """
    events = numbered(5000)
    opened = Connection(options(kafka, name), set())
    opened.publish(events[:10])
    kafka.pause()
    with pytest.raises(BrokerUnavailable, match="no confirmation in time") as caught:
        opened.publish(events[10:])
    assert caught.value.confirmed == frozenset()
    producer = opened._producer._handle.client  # type: ignore[union-attr]
    assert len(producer) == 0
    closed = threading.Thread(target=opened.close, daemon=True)
    closed.start()
    closed.join(ANSWER_SECONDS)
    assert not closed.is_alive()
    kafka.resume()
    with connected(kafka, name) as again:
        again.publish(events[10:])
    first: dict[int, None] = {}
    with closing(consume(options(kafka, name), None, True, set())) as received:
        while len(first) < len(events):
            event = next(received)
            if event is not None:
                first.setdefault((event.event or {})["n"])
    assert list(first) == list(range(5000))


def test_after_a_refused_event_nothing_is_waited_for(
    kafka: Kafka, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """librdkafka keeps what comes after it, and would do so until the time is over."""
    monkeypatch.setattr(limits, "DELIVERY_SECONDS", 3600.0)
    events = numbered(10)
    events[5] = Event.from_dict({"sender_id": "s", "text": "x" * 2_000_000})

    def publish(opened: Connection) -> RejectedEvents:
        with pytest.raises(RejectedEvents) as caught:
            opened.publish(events)
        return caught.value

    for _ in range(10):  # only sometimes is something about to be queued
        with ThreadPoolExecutor(1) as pool, connected(kafka, name) as opened:
            rejected = pool.submit(publish, opened).result(ANSWER_SECONDS)
            assert rejected.confirmed == {event.id for event in events[:5]}


def test_a_consumer_closes_although_the_server_does_not_answer(kafka: Kafka, name: str) -> None:
    """Also a member of a group, which has something to commit and to say good-bye to."""
    with connected(kafka, name) as opened:
        opened.publish(numbered(2))
    received = consume(options(kafka, name), "group", True, set())
    assert next(event for event in received if event is not None)
    threads = psutil.Process().num_threads()
    kafka.pause()
    closed = threading.Thread(target=received.close, daemon=True)
    closed.start()
    closed.join(ANSWER_SECONDS)
    assert not closed.is_alive()
    kafka.resume()
    wait_until(lambda: psutil.Process().num_threads() < threads)


FORKING = """
import gc, os, sys
import event_brokers
from event_brokers_kafka import KafkaOptions
from event_brokers_kafka.connection import Connection
from event_brokers_kafka.consumer import consume

section = {"type": "kafka", "url": sys.argv[1], "topic": sys.argv[2], "client": "librdkafka"}
options = KafkaOptions(url=sys.argv[1], topic=sys.argv[2], client="librdkafka")
broker = event_brokers.connect(section)
broker.publish({"n": 0})
assert broker.flush(60).delivered == 1
opened = Connection(options, set())
received = consume(options, "group", True, set())
while next(received) is None:
    pass
if not os.fork():
    # all that is inherited goes through the hands of the collector, and of the end of the program
    opened.close()
    received.close()
    del opened, received
    gc.collect()
    broker.publish({"n": 1})
    assert broker.flush(60).pending == 0
    broker.close()
    print("child", flush=True)
    sys.exit(0)
_, status = os.wait()
assert os.waitstatus_to_exitcode(status) == 0
broker.publish({"n": 2})
broker.close()
while next(received) is None:
    pass
received.close()
opened.close()
print("parent", flush=True)
"""


def test_a_forked_child_never_touches_what_it_inherits(kafka: Kafka, name: str) -> None:
    """Not even the destructors, which would wait for ever; it makes its own and ends in peace."""
    ended = subprocess.run(
        [sys.executable, "-c", FORKING, kafka.bootstrap(), name],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (0, ["child", "parent"], "")


@pytest.fixture
def every_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every package that a mechanism needs."""
    monkeypatch.setattr(mechanisms, "find_spec", lambda _: object())


def refusal(**given: Any) -> str:
    """Return the sentence with which a section is refused."""
    section = {"type": "kafka", "url": "localhost", "client": "librdkafka", **given}
    with pytest.raises(ConfigurationError) as caught:
        endpoints.read(section)
    return str(caught.value)


@pytest.mark.usefixtures("every_package")
@pytest.mark.parametrize("mechanism", ["GSSAPI", "AWS_MSK_IAM"])
def test_a_login_that_the_wheels_lack_is_refused(mechanism: str) -> None:
    """Before anything connects, with the client that has it."""
    assert refusal(sasl_mechanism=mechanism) == (
        f"event_broker.client: librdkafka has no sasl_mechanism {mechanism}; "
        "give client kafka-python"
    )


def test_a_missing_package_is_said_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra alone brings it, and without it the default client is as before."""

    def find(name: str) -> object:
        return None if name == "confluent_kafka" else find_spec(name)

    monkeypatch.setattr(client_traits, "find_spec", find)
    assert refusal() == (
        "event_broker.client: 'librdkafka' needs a package; "
        "pip install 'event-brokers-kafka[librdkafka]'"
    )
    assert endpoints.read({"type": "kafka", "url": "localhost"}).options


def test_a_client_that_there_is_not_is_named() -> None:
    """With those that there are."""
    sentence = refusal(client="rdkafka")
    assert sentence.startswith("event_broker.client: 'rdkafka' ")
    assert "kafka-python" in sentence
    assert "librdkafka" in sentence


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_every_codec_is_there(kafka: Kafka, name: str, codec: str) -> None:
    """None needs a package, neither to publish nor to consume."""
    with connected(kafka, name, compression_type=codec) as opened:
        opened.publish(numbered(100))
    with closing(consume(options(kafka, name), None, True, set())) as received:
        found = [event.event for event in received_events(received, 100)]
    assert found == [{"sender_id": "s", "n": number} for number in range(100)]


def received_events(received: Any, count: int) -> Iterator[event_brokers.ReceivedEvent]:
    """Yield so many events."""
    while count:
        event = next(received)
        if event is not None:
            count -= 1
            yield event


def test_the_importing_of_one_client_leaves_the_other_alone() -> None:
    """Whoever has not chosen librdkafka does not load it."""
    program = (
        "import sys, event_brokers_kafka.hooks, event_brokers_kafka.clients as clients\n"
        "from event_brokers_kafka import KafkaOptions\n"
        "clients.client_of(KafkaOptions(url='localhost'))\n"
        "print('confluent_kafka' in sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], check=True, capture_output=True, text=True
    )
    assert run.stdout == "False\n"


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_its_log_lines_hold_no_password_and_no_event(
    kafka: Kafka, name: str, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    """They are on the project's logger, for a developer; an outage is still said once, by us."""
    given: dict[str, Any] = {
        "url": kafka.bootstrap(protocol), "security_protocol": protocol,
        "sasl_username": kafka.username, "sasl_password": Secret(kafka.password),
    }  # fmt: skip
    if protocol == "SASL_SSL":
        given["ssl_cafile"] = str(kafka.certificates.ca)
    event = Event.from_dict(
        {"sender_id": f"{CANARY}-sender", "text": f"{CANARY}-body", "event": "user"},
        headers={"x-trace": f"{CANARY}-header"},
    )
    large = Event.from_dict({"text": CANARY * 200_000})
    with caplog.at_level(logging.DEBUG):
        with connected(kafka, name, **given) as opened:
            opened.publish([event])
            with pytest.raises(RejectedEvents):
                opened.publish([large])
        with closing(consume(options(kafka, name, **given), "g", True, set())) as received:
            assert next(received_events(received, 1)).body == event.body
    lines = [record for record in caplog.records if "librdkafka" in record.getMessage()]
    assert lines
    assert {(line.name, line.levelno) for line in lines} == {("event_brokers", logging.DEBUG)}
    text = "\n".join(caplog.handler.format(record) for record in caplog.records)
    assert CANARY not in text
    assert kafka.password not in text.replace("bob-secret", "")


CODES = st.sampled_from(
    [
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError._PURGE_QUEUE,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.UNKNOWN,
    ]
)
REPORTS = st.dictionaries(
    st.uuids().map(str),
    st.builds(lambda code, partition: Report(KafkaError(code), partition), CODES,
              st.none() | st.integers(0, 2)),
    min_size=1,
)  # fmt: skip


@given(REPORTS)
def test_no_event_is_condemned_for_another_one_of_its_batch(reports: dict[str, Report]) -> None:
    """Each failure is told; where several of a batch were refused, none of them is named."""
    failures = failures_of(reports)
    assert failures.keys() == reports.keys()
    events = [Event.from_dict({}, event_id) for event_id in reports]
    told = translate_failures(failures, [], events, KafkaOptions(url="localhost"), True)
    refused = [
        (each, report) for each, report in reports.items()
        if failure_of(report.error).kind in (Kind.TOO_LARGE, Kind.INVALID)
    ]  # fmt: skip
    if not refused:
        assert not isinstance(told, RejectedEvents)
        return
    assert isinstance(told, RejectedEvents)

    def is_alone(report: Report) -> bool:
        batch = (report.partition, report.error.code())
        return report.partition is None or batch not in [
            (other.partition, other.error.code()) for _, other in refused if other is not report
        ]

    assert set(told.reasons) == {each for each, report in refused if is_alone(report)}
    assert concern_batches(failures) == any(not is_alone(report) for _, report in refused)


BATCHES = st.lists(st.lists(st.sampled_from(["confirmed", "failed", "refused", "unheard"])))


@given(BATCHES, st.randoms())
def test_each_batch_has_its_own_reports(batches: list[list[str]], random: random.Random) -> None:
    """In whatever order they come, and however late those of a batch before that has failed."""
    error, message = KafkaError(KafkaError.UNKNOWN), Message(partition=0)
    reports = Reports()
    late: list[Callback] = []
    for outcomes in batches:
        events = numbered(len(outcomes))
        callbacks = reports.begin(events)
        for callback in late:
            callback(None, message)
        late = [callbacks[place] for place, each in enumerate(outcomes) if each == "unheard"]
        for place in random.sample(range(len(events)), len(events)):
            if outcomes[place] == "refused":
                reports.refuse(place, error)
            elif outcomes[place] != "unheard":
                callbacks[place](error if outcomes[place] == "failed" else None, message)
        became = {outcome: set[str]() for outcome in ("confirmed", "failed", "refused", "unheard")}
        for event, outcome in zip(events, outcomes, strict=True):
            became[outcome].add(event.id)
        assert set(reports.confirmed) == became["confirmed"]
        assert reports.has_failed() == bool(became["failed"] | became["unheard"])
        assert reports.failures().keys() == became["failed"] | became["refused"]
        reports.give_up()
        unheard = {each for each, why in reports.failures().items() if why is UNHEARD}
        assert unheard == became["unheard"]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            KafkaError.CLUSTER_AUTHORIZATION_FAILED,
            (
                "event_broker.sasl_mechanism: 'localhost:9092' does not let this user produce "
                "idempotently; grant IdempotentWrite on the cluster"
            ),
        ),
        (
            KafkaError.UNSUPPORTED_COMPRESSION_TYPE,
            "event_broker.compression_type: 'localhost:9092' does not take 'none'; choose another",
        ),
        (
            KafkaError.NOT_ENOUGH_REPLICAS,
            (
                "1 event was not confirmed by localhost:9092: too few replicas of the topic are in "
                "sync (min.insync.replicas)"
            ),
        ),
    ],
)
def test_what_a_batch_fails_with_is_said_as_by_the_other_client(code: int, sentence: str) -> None:
    """In the same words, whatever the client calls it."""
    event = Event.from_dict({})
    failures = failures_of({event.id: Report(KafkaError(code), 0)})
    told = translate_failures(failures, [], [event], KafkaOptions(url="localhost"), True)
    assert str(told) == sentence
