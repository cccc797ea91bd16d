"""No password and no event in what kafka-python logs, however much of it somebody asks for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError

from event_brokers import ConfigurationError, Event, ReceivedEvent, Secret
from event_brokers_kafka import KafkaOptions, log_redaction
from event_brokers_kafka.connection import Connection
from event_brokers_kafka.consumer import consume
from event_brokers_kafka.hooks import check
from servers import Kafka

pytestmark = pytest.mark.xdist_group("kafka")

CANARY = "Canary-7531"
EVERYTHING = 1  # kafka-python has a level below DEBUG


def login(server: Kafka, mechanism: str) -> dict[str, Any]:
    """Return the options of a user for one mechanism."""
    name, password = (
        (server.username, server.password)
        if mechanism == "PLAIN"
        else (server.scram_username, server.scram_password)
    )
    return {
        "url": server.bootstrap("SASL_PLAINTEXT"),
        "sasl_mechanism": mechanism,
        "sasl_username": name,
        "sasl_password": Secret(password),
    }


def received(options: KafkaOptions, group: str | None, count: int) -> list[ReceivedEvent]:
    """Return the first events of a topic."""
    found: list[ReceivedEvent] = []
    with closing(consume(options, group, True, set())) as events:
        while len(found) < count:
            event = next(events)
            if event is not None:
                found.append(event)
    return found


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_the_log_of_the_client_holds_no_password_and_no_event(
    kafka: Kafka, name: str, caplog: pytest.LogCaptureFixture, mechanism: str
) -> None:
    """Producer, consumer with and without a group, and `check`: the whole log at every level."""
    options = KafkaOptions(topic=name, **login(kafka, mechanism))
    wrong = KafkaOptions(
        topic=name, **{**login(kafka, mechanism), "sasl_password": Secret(f"{CANARY}-wrong")}
    )
    events = [
        Event.from_dict(
            {"sender_id": f"{CANARY}-sender", "event": "user", "text": f"{CANARY}-body-{number}"},
            headers={"x-trace": f"{CANARY}-header"},
        )
        for number in range(3)
    ]
    with caplog.at_level(EVERYTHING):
        check(options)
        with closing(Connection(options, set())) as opened:
            opened.publish(events)
        found = [received(options, group, 3) for group in ("a-group", None)]
        with pytest.raises(ConfigurationError, match="refuses the user"):
            check(wrong)
    assert all(CANARY in str(event.event) for events in found for event in events)
    text = "\n".join(caplog.handler.format(record) for record in caplog.records)
    assert CANARY not in text
    assert str(options.sasl_password and options.sasl_password.reveal()) not in text
    assert ",p=" not in text  # SCRAM's proof, from which a password can be guessed
    # and yet it says what goes on
    for word in ("SaslAuthenticateRequest", "ProduceRequest", "FetchResponse", options.url):
        assert str(word) in text


def test_every_logger_of_the_client_is_covered(kafka: Kafka, name: str) -> None:
    """A filter of one logger does not apply to those below it, so that each has its own."""
    with closing(Connection(KafkaOptions(url=kafka.bootstrap(), topic=name), set())):
        pass
    names = [name for name in logging.root.manager.loggerDict if f"{name}.".startswith("kafka.")]
    assert {"kafka", "kafka.protocol.parser", "kafka.net.connection"} <= set(names)
    for each in names:
        assert len(logging.getLogger(each).filters) == 1


class Anything:
    """An object of which nobody knows what it prints."""

    def __repr__(self) -> str:
        return CANARY


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[logging.Logger]:
    """Return a logger of the client's, with the filter."""
    made = logging.getLogger("kafka.made.by.a.test")
    log_redaction.redact_logs()
    with caplog.at_level(EVERYTHING):
        yield made
    made.manager.loggerDict.pop(made.name)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (CANARY.encode(), "<11 bytes>"),
        (memoryview(CANARY.encode()), "<11 bytes>"),
        (Anything(), "<Anything>"),
        ([Anything(), 1], "[<Anything>, 1]"),
        ((b"", None, 2.5), "(<0 bytes>, None, 2.5)"),
        ({"a": Anything()}, "{'a': <Anything>}"),
        ({Anything()}, "[<Anything>]"),
        (TopicPartition("t", 0), "('t', 0)"),
        ("text", "text"),
        (KafkaConnectionError("gone"), "KafkaConnectionError: gone"),
        (OSError("gone"), "gone"),
        (ValueError(CANARY), "<ValueError>"),
    ],
)
def test_what_may_hold_an_event_is_shown_by_its_kind(
    log: logging.Logger, caplog: pytest.LogCaptureFixture, value: object, shown: str
) -> None:
    """Whatever is not known to be harmless, also inside others, in `%s` as in `%r`."""
    log.debug("%d of %s", 1, value)
    (message,) = caplog.messages
    assert message.removeprefix("1 of ") in (shown, f"[Error] {shown}")
    if not isinstance(value, (str, KafkaError, OSError)):
        log.debug("%r", [value])
        assert caplog.messages[-1] == f"[{shown}]"


def test_an_error_that_nobody_foresaw_is_named_without_its_text(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    """Its text may quote what it failed on; those of the client and the system are shown whole."""
    for error in (ValueError(CANARY), OSError("gone")):
        try:
            raise error
        except Exception:
            log.exception("failed at %s", "node 1")
    foreseen, quoted = caplog.records
    assert caplog.handler.format(foreseen).endswith("failed at node 1 (ValueError)")
    assert "OSError: gone" in caplog.handler.format(quoted)
