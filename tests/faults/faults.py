"""Each fault: how it strikes, how it ends, and which brokers it can befall."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from faults.scene import Scene
from servers import Kafka, MariaDB, PostgreSQL, RabbitMQ
from waiting import wait_until

SERVERS = ("rabbitmq", "kafka", "postgresql", "mariadb")
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


@contextmanager
def down(scene: Scene) -> Iterator[None]:
    """Nobody listens."""
    scene.process.kill()
    yield
    scene.process.recover()


@contextmanager
def killed(scene: Scene) -> Iterator[None]:
    """Killed while batches are under way."""
    scene.running.burst()
    scene.process.kill()
    yield
    scene.process.recover()


@contextmanager
def restarted(scene: Scene) -> Iterator[None]:
    """Ended as an administrator ends it."""
    scene.running.burst()
    scene.process.terminate()
    yield
    scene.process.recover()


@contextmanager
def frozen(scene: Scene) -> Iterator[None]:
    """Stopped, with its connections open."""
    scene.running.burst()
    scene.process.pause()
    yield
    scene.process.resume()


@contextmanager
def half_open(scene: Scene) -> Iterator[None]:
    """The network takes everything and brings nothing, and forgets the connections for good."""
    scene.running.burst()
    scene.network.silence()
    yield
    scene.network.speak()


@contextmanager
def resets(scene: Scene) -> Iterator[None]:
    """Connections are reset amid batches, again and again."""
    for _ in range(4):
        scene.network.cut_after(100_000)
        scene.running.burst()
        wait_until(lambda: scene.network.has_cut, 60)
    yield


@contextmanager
def slow_link(scene: Scene) -> Iterator[None]:
    """A few kilobytes a second."""
    scene.network.limit(30_000)
    scene.running.burst()
    yield
    scene.network.limit(None)


@contextmanager
def memory_alarm(scene: Scene) -> Iterator[None]:
    """RabbitMQ blocks those who publish."""
    server = scene.server(RabbitMQ)
    server.control("set_vm_memory_high_watermark", "0.00001")
    scene.running.burst()
    yield
    server.control("set_vm_memory_high_watermark", "0.6")


@contextmanager
def queue_deleted(scene: Scene) -> Iterator[None]:
    """An administrator deletes the queue, which nobody makes again until he does."""
    server = scene.server(RabbitMQ)
    with scene.running.paused():
        scene.backend.read()  # which takes the messages, and keeps them
        with server.connection() as connection:
            connection.channel().queue_delete(scene.name)
    yield
    assert scene.name not in server.control("list_queues", "name").split()
    with server.connection() as connection:
        connection.channel().queue_declare(scene.name, durable=True)


@contextmanager
def exchange_deleted(scene: Scene) -> Iterator[None]:
    """An administrator deletes the exchange, which nobody makes again until he does."""
    server = scene.server(RabbitMQ)
    with server.connection() as connection:
        connection.channel().exchange_delete(scene.name)
    scene.running.burst()
    yield
    assert scene.name not in server.control("list_exchanges", "name").split()
    with server.connection() as connection:
        connection.channel().exchange_declare(scene.name, "fanout", durable=True)


@contextmanager
def queue_unbound(scene: Scene) -> Iterator[None]:
    """An administrator takes the queue from its exchange; it is bound again at the next connect."""
    with scene.server(RabbitMQ).connection() as connection:
        connection.channel().queue_unbind(scene.name, scene.name, "")
    scene.running.burst()
    yield


def behind_an_exchange(scene: Scene) -> dict[str, Any]:
    """Return the options that lead to the queue through an exchange of the same name."""
    return {"exchange_name": scene.name}


@contextmanager
def queue_of_another_type(scene: Scene) -> Iterator[None]:
    """An administrator replaces the queue by a quorum queue."""
    server = scene.server(RabbitMQ)
    with scene.running.paused():
        scene.backend.read()  # which takes the messages, and keeps them
        with server.connection() as connection:
            channel = connection.channel()
            channel.queue_delete(scene.name)
            channel.queue_declare(scene.name, durable=True, arguments={"x-queue-type": "quorum"})
    yield


@contextmanager
def queue_full(scene: Scene) -> Iterator[None]:
    """The queue has max-length with reject-publish, and is full."""
    server = scene.server(RabbitMQ)
    definition = '{"max-length":5,"overflow":"reject-publish"}'
    with scene.running.paused():
        scene.backend.read()  # a queue that is longer already would lose its oldest messages
        server.control("set_policy", "full", f"^{scene.name}$", definition, "--apply-to", "queues")
    scene.running.burst()
    yield
    server.control("clear_policy", "full")


@contextmanager
def topic_deleted(scene: Scene) -> Iterator[None]:
    """An administrator deletes the topic, which is never made anew, and brings it back."""
    server = scene.server(Kafka)
    with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap())) as admin:
        with scene.running.paused():
            scene.rescue()
            admin.delete_topics([scene.name])
            wait_until(lambda: scene.name not in admin.list_topics())
        yield
        assert scene.name not in admin.list_topics()
        admin.create_topics([NewTopic(scene.name, 1, 1)])


@contextmanager
def message_too_large(scene: Scene) -> Iterator[None]:
    """One event is more than the broker takes."""
    scene.running.publish_doomed(20_000_000)
    scene.running.burst()
    yield


@contextmanager
def sessions_ended(scene: Scene) -> Iterator[None]:
    """An administrator ends the sessions, again and again."""
    for _ in range(5):
        scene.running.burst()
        end_sessions(scene)
    yield


def end_sessions(scene: Scene) -> None:
    """End all sessions of the database but one's own."""
    if isinstance(scene.backend.server, PostgreSQL):
        scene.backend.server.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return
    server = scene.server(MariaDB)
    for (session,) in server.query(
        "SELECT id FROM information_schema.processlist "
        "WHERE user = 'rasa' AND id <> CONNECTION_ID()"
    ):
        server.query(f"KILL {session}")


@contextmanager
def table_locked(scene: Scene) -> Iterator[None]:
    """Somebody else has locked the table."""
    postgresql = isinstance(scene.backend.server, PostgreSQL)
    statement = "LOCK TABLE {} IN EXCLUSIVE MODE" if postgresql else "LOCK TABLES {} WRITE"
    server = scene.server(PostgreSQL) if postgresql else scene.server(MariaDB)
    with closing(server.connection()) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute(statement.format(scene.name))
        scene.running.burst()
        yield
        cursor.execute("ROLLBACK")


@contextmanager
def read_only_server(scene: Scene) -> Iterator[None]:
    """The server takes no writes, as a replica does."""
    server = scene.server(PostgreSQL)

    def switch(value: str) -> None:
        with closing(server.connection()) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(
                f"ALTER ROLE {server.username} SET default_transaction_read_only = {value}".encode()
            )

    switch("on")
    end_sessions(scene)
    scene.running.burst()
    try:
        yield
    finally:
        switch("off")


@contextmanager
def file_locked(scene: Scene) -> Iterator[None]:
    """Another process writes into the file, and does not end."""
    with closing(sqlite3.connect(scene.section["db"], isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        scene.running.burst()
        yield
        other.execute("ROLLBACK")


@contextmanager
def file_read_only(scene: Scene) -> Iterator[None]:
    """The file may not be written, not even by root."""
    file = scene.section["db"]
    if shutil.which("chattr") is None or subprocess.call(["chattr", "+i", file]):
        pytest.skip("chattr +i is not permitted here")
    scene.running.burst()
    try:
        yield
    finally:
        subprocess.check_call(["chattr", "-i", file])


@contextmanager
def wrong_password(scene: Scene) -> Iterator[None]:
    """The server has another password, until somebody puts it right."""
    server = scene.process
    if isinstance(server, RabbitMQ):
        server.control("change_password", server.username, "another")
        yield
        server.control("change_password", server.username, server.password)
        return
    assert isinstance(server, (PostgreSQL, MariaDB))
    change = (
        "ALTER ROLE rasa PASSWORD '{}'"
        if isinstance(server, PostgreSQL)
        else "SET PASSWORD = PASSWORD('{}')"
    )
    with closing(server.connection()) as connection:
        cursor: Any = connection.cursor()
        cursor.execute(change.format("another"))
        try:
            yield
        finally:
            cursor.execute(change.format(server.password))


@contextmanager
def certificate_replaced(scene: Scene) -> Iterator[None]:
    """The file of trusted authorities is another one, until somebody replaces it."""
    server = scene.process
    assert isinstance(server, (RabbitMQ, Kafka))
    trusted = scene.folder / "ca.pem"
    shutil.copy(server.certificates.other_ca, trusted)
    yield
    shutil.copy(server.certificates.ca, trusted)


def over_tls(scene: Scene) -> dict[str, Any]:
    """Return the options that lead to the listener with TLS."""
    server = scene.process
    trusted = {"ssl_cafile": str(scene.folder / "ca.pem")}
    if isinstance(server, RabbitMQ):
        url = f"amqps://{server.username}:{server.password}@localhost:{server.tls_port}/"
        return {**trusted, "url": url, "port": None, "username": None, "password": None}
    assert isinstance(server, Kafka)
    return {
        **trusted, "url": server.bootstrap("SSL"), "security_protocol": "SSL",
        "ssl_certfile": str(server.certificates.client_certificate),
        "ssl_keyfile": str(server.certificates.client_key),
    }  # fmt: skip


FAULTS = (
    Fault("down at the start", down, SERVERS, from_start=True, in_short=("kafka", "rabbitmq")),
    Fault("kill -9 amid batches", killed, SERVERS, in_short=SERVERS),
    Fault("restarted", restarted, SERVERS),
    Fault("frozen", frozen, SERVERS, PAUSE_SECONDS, in_short=("rabbitmq",)),
    Fault("half-open connections", half_open, SERVERS, in_short=("rabbitmq", "postgresql")),
    Fault("resets amid batches", resets, SERVERS, in_short=SERVERS),
    Fault("slow link", slow_link, SERVERS),
    Fault("memory alarm", memory_alarm, ("rabbitmq",), in_short=("rabbitmq",)),
    Fault("queue deleted", queue_deleted, ("rabbitmq",), in_short=("rabbitmq",)),
    Fault("exchange deleted", exchange_deleted, ("rabbitmq",), section=behind_an_exchange),
    Fault(
        "queue unbound", queue_unbound, ("rabbitmq",), in_short=("rabbitmq",),
        section=behind_an_exchange,
    ),
    Fault("queue of another type", queue_of_another_type, ("rabbitmq",)),
    Fault("queue full, reject-publish", queue_full, ("rabbitmq",), in_short=("rabbitmq",)),
    Fault("topic deleted", topic_deleted, ("kafka",)),
    Fault("message too large", message_too_large, ("kafka", "mariadb"), in_short=("kafka",)),
    Fault("sessions ended", sessions_ended, ("postgresql", "mariadb"), in_short=("postgresql",)),
    Fault("table locked", table_locked, ("postgresql", "mariadb"), in_short=("mariadb",)),
    Fault("read-only server", read_only_server, ("postgresql",), in_short=("postgresql",)),
    Fault("file locked", file_locked, ("sqlite",), PAUSE_SECONDS),
    Fault("file read-only", file_read_only, ("sqlite",), in_short=("sqlite",)),
    Fault(
        "wrong password, put right", wrong_password, ("rabbitmq", "postgresql", "mariadb"),
        from_start=True, in_short=("rabbitmq",),
    ),
    Fault(
        "certificate replaced", certificate_replaced, ("rabbitmq", "kafka"), from_start=True,
        section=over_tls,
    ),
)  # fmt: skip
