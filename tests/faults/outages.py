"""The server is not there, or the network between is in trouble."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from faults.scene import Scene
from waiting import wait_until


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
