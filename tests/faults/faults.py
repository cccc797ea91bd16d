"""Each fault: how it strikes, how it ends, and which brokers it can befall."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from faults import access, capacity, databases, files, outages, places, shown
from faults.scene import Scene
from faults.shown import Shows

SERVERS = ("rabbitmq", "kafka", "librdkafka", "postgresql", "mariadb", "redis", "nats", "http")
KAFKA = ("kafka", "librdkafka")  # whose clients wait for a server that is away, and say nothing
OTHERS = tuple(server for server in SERVERS if server not in KAFKA)
WITH_SESSION = tuple(server for server in OTHERS if server != "http")
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
        shows: what `/metrics` says of it while it lasts.
    """

    name: str
    strike: Callable[[Scene], AbstractContextManager[None]]
    backends: tuple[str, ...]
    seconds: float = 2.0
    from_start: bool = False
    in_short: tuple[str, ...] = ()
    section: Callable[[Scene], dict[str, Any]] = field(default=lambda _scene: {})
    shows: Shows = shown.outage


FAULTS = (
    Fault(
        "down at the start", outages.down, SERVERS,
        from_start=True, in_short=("kafka", "rabbitmq"),
    ),
    Fault("kill -9 amid batches", outages.killed, OTHERS, in_short=OTHERS),
    Fault(
        "kill -9 amid batches", outages.killed, KAFKA, in_short=KAFKA, shows=shown.held_up,
    ),
    Fault("restarted", outages.restarted, OTHERS),
    Fault("restarted", outages.restarted, KAFKA, shows=shown.held_up),
    Fault(
        "frozen", outages.frozen, SERVERS, PAUSE_SECONDS, in_short=("rabbitmq",),
        shows=shown.held_up,
    ),
    Fault(
        "half-open connections", outages.half_open, SERVERS, in_short=("rabbitmq", "postgresql"),
        shows=shown.held_up,
    ),
    Fault(
        "resets amid batches", outages.resets, WITH_SESSION, in_short=WITH_SESSION,
        shows=shown.interrupted,
    ),
    Fault(
        "resets amid batches", outages.resets, ("http",), in_short=("http",),
        shows=shown.unseen("a request that was cut off is sent again at once, by the same call"),
    ),
    Fault(
        "resets amid batches", outages.resets, KAFKA, in_short=KAFKA,
        shows=shown.unseen("the clients of Kafka connect again by themselves, amid a batch"),
    ),
    Fault("slow link", outages.slow_link, SERVERS, shows=shown.behind),
    Fault(
        "memory alarm", capacity.memory_alarm, ("rabbitmq",), in_short=("rabbitmq",),
        shows=shown.held_up,
    ),
    Fault(
        "queue deleted", places.queue_deleted, ("rabbitmq",), in_short=("rabbitmq",),
        shows=shown.halted,
    ),
    Fault(
        "exchange deleted", places.exchange_deleted, ("rabbitmq",),
        section=places.behind_an_exchange, shows=shown.halted,
    ),
    Fault(
        "queue unbound", places.queue_unbound, ("rabbitmq",), in_short=("rabbitmq",),
        section=places.behind_an_exchange, shows=shown.interrupted,
    ),
    Fault(
        "queue of another type", places.queue_of_another_type, ("rabbitmq",),
        shows=shown.unseen("messages find a queue by its name; a connect looks at its type"),
    ),
    Fault("queue full, reject-publish", capacity.queue_full, ("rabbitmq",), in_short=("rabbitmq",)),
    Fault("topic deleted", places.topic_deleted, KAFKA, shows=shown.held_up),
    Fault(
        "stream deleted", places.redis_stream_deleted, ("redis",), in_short=("redis",),
        shows=shown.halted,
    ),
    Fault(
        "stream deleted", places.nats_stream_deleted, ("nats",), in_short=("nats",),
        shows=shown.halted,
    ),
    Fault("memory full", capacity.memory_full, ("redis",), in_short=("redis",)),
    Fault("stream full, discard new", capacity.stream_full, ("nats",), in_short=("nats",)),
    Fault(
        "message too large", capacity.message_too_large, (*KAFKA, "mariadb", "nats"),
        in_short=(*KAFKA, "nats"),
        shows=shown.dead_letter,
    ),
    Fault(
        "message too large", capacity.body_too_large, ("http",), in_short=("http",),
        shows=shown.dead_letter,
    ),
    Fault(
        "429 with Retry-After", capacity.too_many_requests, ("http",), in_short=("http",),
    ),
    Fault(
        "sessions ended", databases.sessions_ended, ("postgresql", "mariadb"),
        in_short=("postgresql",),
        shows=shown.interrupted,
    ),
    Fault(
        "table locked", databases.table_locked, ("postgresql", "mariadb"), in_short=("mariadb",),
        shows=shown.held_up,
    ),
    Fault(
        "read-only server", databases.read_only_server, ("postgresql",),
        in_short=("postgresql",),
        shows=shown.halted,
    ),
    Fault("file locked", databases.file_locked, ("sqlite",), PAUSE_SECONDS, shows=shown.held_up),
    Fault(
        "file read-only", databases.file_read_only, ("sqlite", "file"),
        in_short=("sqlite", "file"),
    ),
    Fault("file locked", files.locked, ("file",), PAUSE_SECONDS, shows=shown.held_up),
    Fault("file deleted", files.deleted, ("file",), in_short=("file",), shows=shown.halted),
    Fault(
        "file moved", files.moved, ("file",), in_short=("file",),
        shows=shown.unseen("the new file is opened between two batches, and holds nothing up"),
    ),
    Fault("disk full", files.disk_full, ("file",), in_short=("file",)),
    Fault(
        "wrong password, put right", access.wrong_password,
        ("rabbitmq", "postgresql", "mariadb"), from_start=True, in_short=("rabbitmq",),
        shows=shown.halted,
    ),
    Fault(
        "wrong password, put right", access.redis_wrong_password, ("redis",),
        from_start=True, in_short=("redis",),
        shows=shown.halted,
    ),
    Fault(
        "wrong password, put right", access.nats_wrong_password, ("nats",),
        from_start=True, in_short=("nats",),
        shows=shown.halted,
    ),
    Fault(
        "wrong password, put right", access.http_wrong_password, ("http",),
        from_start=True, in_short=("http",),
        shows=shown.halted,
    ),
    Fault(
        "certificate replaced", access.certificate_replaced,
        ("rabbitmq", "kafka", "librdkafka", "redis", "http"),
        from_start=True, section=access.over_tls,
        shows=shown.halted,
    ),
)  # fmt: skip
