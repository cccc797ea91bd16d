"""The server has no room left, or an event is more than it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nats.js.api import DiscardPolicy

from faults.scene import Scene
from servers import HttpServer, Nats, RabbitMQ, Redis


@contextmanager
def memory_alarm(scene: Scene) -> Iterator[None]:
    """RabbitMQ blocks those who publish."""
    server = scene.server(RabbitMQ)
    server.control("set_vm_memory_high_watermark", "0.00001")
    scene.running.burst()
    yield
    server.control("set_vm_memory_high_watermark", "0.6")


@contextmanager
def memory_full(scene: Scene) -> Iterator[None]:
    """Redis has no memory left, and drops nothing."""
    with scene.server(Redis).connection() as client:
        client.config_set("maxmemory", "1mb")
        scene.running.burst()
        yield
        client.config_set("maxmemory", "0")


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
def stream_full(scene: Scene) -> Iterator[None]:
    """The stream takes no more messages than there are."""
    server, name = scene.server(Nats), scene.name

    def limit(most: int) -> None:
        server.run(
            lambda jetstream: jetstream.update_stream(
                name=name, subjects=[name], max_msgs=most, discard=DiscardPolicy.NEW
            )
        )

    with scene.running.paused():
        limit(len(scene.backend.read()))
    scene.running.burst()
    yield
    limit(-1)


@contextmanager
def message_too_large(scene: Scene) -> Iterator[None]:
    """One event is more than the broker takes."""
    scene.running.publish_doomed(20_000_000)
    scene.running.burst()
    yield


@contextmanager
def body_too_large(scene: Scene) -> Iterator[None]:
    """One event is more than the HTTP server takes."""
    scene.server(HttpServer).behave(most_bytes=1_000_000)
    scene.running.publish_doomed(2_000_000)
    scene.running.burst()
    yield
    scene.running.burst()


@contextmanager
def too_many_requests(scene: Scene) -> Iterator[None]:
    """The HTTP server is asked too often, and says when to come again."""
    server = scene.server(HttpServer)
    server.behave(status=429, headers={"Retry_After": "3"})
    scene.running.burst()
    yield
    server.behave()
