"""The queue, topic or stream is gone, or is another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from kafka.admin import KafkaAdminClient, NewTopic

from faults.scene import Scene
from servers import Kafka, Nats, RabbitMQ, Redis
from waiting import wait_until


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
def redis_stream_deleted(scene: Scene) -> Iterator[None]:
    """An administrator deletes the stream, which nobody makes again until he does."""
    server = scene.server(Redis)
    with server.connection() as client:
        with scene.running.paused():
            scene.rescue()
            client.delete(scene.name)
        yield
        assert not client.exists(scene.name)
        client.xgroup_create(scene.name, "new", mkstream=True)


@contextmanager
def nats_stream_deleted(scene: Scene) -> Iterator[None]:
    """An administrator deletes the stream, which nobody makes again until he does."""
    server, name = scene.server(Nats), scene.name
    with scene.running.paused():
        scene.rescue()
        server.run(lambda jetstream: jetstream.delete_stream(name))
    yield
    assert not server.run(lambda jetstream: jetstream.streams_info())
    server.run(lambda jetstream: jetstream.add_stream(name=name, subjects=[name]))
