"""Faults that befall Redis or NATS alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nats.js.api import DiscardPolicy

from faults.scene import Scene
from servers import Nats, Redis


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


@contextmanager
def memory_full(scene: Scene) -> Iterator[None]:
    """Redis has no memory left, and drops nothing."""
    with scene.server(Redis).connection() as client:
        client.config_set("maxmemory", "1mb")
        scene.running.burst()
        yield
        client.config_set("maxmemory", "0")


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
def redis_wrong_password(scene: Scene) -> Iterator[None]:
    """The user has another password, until somebody puts it right."""
    server = scene.server(Redis)
    with server.connection() as client:
        change = ("ACL", "SETUSER", server.username, "resetpass")
        client.execute_command(*change, ">another")
        yield
        client.execute_command(*change, f">{server.password}")


@contextmanager
def nats_wrong_password(scene: Scene) -> Iterator[None]:
    """The user has another password, until somebody puts it right."""
    server = scene.server(Nats)
    server.change_password("another")
    yield
    server.change_password(server.password)
