"""Each fault: how it strikes, how it ends, and which brokers it can befall."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from faults import access, capacity, databases, files, outages, places
from faults.scene import Scene

SERVERS = ("rabbitmq", "kafka", "librdkafka", "postgresql", "mariadb", "redis", "nats", "http")
# the tests of one server run one after the other; both clients of Kafka have the same one
GROUPS = {**dict(zip(SERVERS, SERVERS, strict=True)), "librdkafka": "kafka"}
PAUSE_SECONDS = 12  # longer than twice the heartbeat of the tests


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        name: what a person calls it.
        strike: brings it about; it ends with the block.
        backends: whom it can befall.
        seconds: how long it lasts at the least.
        from_start: whether it is there before the broker is first connected.
        in_short: for which of the backends it is provoked in every run of the tests.
        section: what it changes in the section of endpoints.yml.
    """

    name: str
    strike: Callable[[Scene], AbstractContextManager[None]]
    backends: tuple[str, ...]
    seconds: float = 2.0
    from_start: bool = False
    in_short: tuple[str, ...] = ()
    section: Callable[[Scene], dict[str, Any]] = field(default=lambda _scene: {})


FAULTS = (
    Fault(
        "down at the start", outages.down, SERVERS,
        from_start=True, in_short=("kafka", "rabbitmq"),
    ),
    Fault("kill -9 amid batches", outages.killed, SERVERS, in_short=SERVERS),
    Fault("restarted", outages.restarted, SERVERS),
    Fault("frozen", outages.frozen, SERVERS, PAUSE_SECONDS, in_short=("rabbitmq",)),
    Fault("half-open connections", outages.half_open, SERVERS, in_short=("rabbitmq", "postgresql")),
    Fault("resets amid batches", outages.resets, SERVERS, in_short=SERVERS),
    Fault("slow link", outages.slow_link, SERVERS),
    Fault("memory alarm", capacity.memory_alarm, ("rabbitmq",), in_short=("rabbitmq",)),
    Fault("queue deleted", places.queue_deleted, ("rabbitmq",), in_short=("rabbitmq",)),
    Fault(
        "exchange deleted", places.exchange_deleted, ("rabbitmq",),
        section=places.behind_an_exchange,
    ),
    Fault(
        "queue unbound", places.queue_unbound, ("rabbitmq",), in_short=("rabbitmq",),
        section=places.behind_an_exchange,
    ),
    Fault("queue of another type", places.queue_of_another_type, ("rabbitmq",)),
    Fault("queue full, reject-publish", capacity.queue_full, ("rabbitmq",), in_short=("rabbitmq",)),
    Fault("topic deleted", places.topic_deleted, ("kafka", "librdkafka")),
    Fault("stream deleted", places.redis_stream_deleted, ("redis",), in_short=("redis",)),
    Fault("stream deleted", places.nats_stream_deleted, ("nats",), in_short=("nats",)),
    Fault("memory full", capacity.memory_full, ("redis",), in_short=("redis",)),
    Fault("stream full, discard new", capacity.stream_full, ("nats",), in_short=("nats",)),
    Fault(
        "message too large", capacity.message_too_large, ("kafka", "librdkafka", "mariadb", "nats"),
        in_short=("kafka", "librdkafka", "nats"),
    ),
    Fault(
        "message too large", capacity.body_too_large, ("http",), in_short=("http",),
    ),
    Fault(
        "429 with Retry-After", capacity.too_many_requests, ("http",), in_short=("http",),
    ),
    Fault(
        "sessions ended", databases.sessions_ended, ("postgresql", "mariadb"),
        in_short=("postgresql",),
    ),
    Fault("table locked", databases.table_locked, ("postgresql", "mariadb"), in_short=("mariadb",)),
    Fault(
        "read-only server", databases.read_only_server, ("postgresql",),
        in_short=("postgresql",),
    ),
    Fault("file locked", databases.file_locked, ("sqlite",), PAUSE_SECONDS),
    Fault(
        "file read-only", databases.file_read_only, ("sqlite", "file"),
        in_short=("sqlite", "file"),
    ),
    Fault("file locked", files.locked, ("file",), PAUSE_SECONDS),
    Fault("file deleted", files.deleted, ("file",), in_short=("file",)),
    Fault("file moved", files.moved, ("file",), in_short=("file",)),
    Fault("disk full", files.disk_full, ("file",), in_short=("file",)),
    Fault(
        "wrong password, put right", access.wrong_password,
        ("rabbitmq", "postgresql", "mariadb"), from_start=True, in_short=("rabbitmq",),
    ),
    Fault(
        "wrong password, put right", access.redis_wrong_password, ("redis",),
        from_start=True, in_short=("redis",),
    ),
    Fault(
        "wrong password, put right", access.nats_wrong_password, ("nats",),
        from_start=True, in_short=("nats",),
    ),
    Fault(
        "wrong password, put right", access.http_wrong_password, ("http",),
        from_start=True, in_short=("http",),
    ),
    Fault(
        "certificate replaced", access.certificate_replaced,
        ("rabbitmq", "kafka", "librdkafka", "redis", "http"),
        from_start=True, section=access.over_tls,
    ),
)  # fmt: skip
