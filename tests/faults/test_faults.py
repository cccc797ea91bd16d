"""Whatever befalls a broker under a stream of events, none is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import event_brokers
from event_brokers import EventBroker
from event_brokers.testing.proxy import Proxy
from faults import shown
from faults.faults import FAULTS, GROUPS, Fault
from faults.report import PROPERTY
from faults.scene import Scene
from faults.stream import Stream, tally
from servers import HttpServer, Kafka, Nats, Redis
from servers.backends import Backend
from waiting import wait_until

RECOVERY_SECONDS = 60.0  # the longest pause, and an attempt that began as the server came back
HEARTBEAT_SECONDS = 5
EVENTS_BEFORE = 200
EVENTS_DURING = 200

CASES = [
    pytest.param(
        fault, f"{backend}_backend",
        id=f"{fault.name}-{backend}",
        marks=[pytest.mark.xdist_group(GROUPS[backend])] if backend in GROUPS else [],
    )
    for fault in FAULTS
    for backend in fault.backends
]  # fmt: skip


@pytest.mark.parametrize(("fault", "fixture"), CASES)
def test_no_event_is_lost(
    fault: Fault,
    fixture: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    record_property: Any,
) -> None:
    """All arrive with their bodies, in order, soon after the fault; the counts agree.

    What `/metrics` says is what happens: the fault while it lasts, and the same counts at the end.
    """
    name = fixture.removesuffix("_backend")
    if not request.config.getoption("--faults") and name not in fault.in_short:
        pytest.skip("only with --faults")
    backend: Backend = request.getfixturevalue(fixture)
    with ExitStack() as stack:
        metrics = stack.enter_context(shown.served())
        scene = stack.enter_context(scene_of(fault, backend, tmp_path))
        if fault.from_start:
            with fault.strike(scene):
                broker, scene.stream = started(stack, scene)
                endure(fault, scene.stream, metrics, shown.NOTHING)
        else:
            broker, scene.stream = started(stack, scene)
            scene.stream.go_on(EVENTS_BEFORE, 0)
            wait_until(lambda: broker.status().delivered >= EVENTS_BEFORE)
            before = metrics.now()
            assert before.state == "connected"
            with fault.strike(scene):
                endure(fault, scene.stream, metrics, before)
        recovery = seconds_to_first_delivery(broker)
        scene.stream.go_on(EVENTS_BEFORE, 0)
        scene.stream.end()
        status = broker.flush(120)
        after = metrics.now()
    found = tally(scene.stream, scene.arrived())
    record_property(
        PROPERTY,
        [fault.name, name, found.published, found.delivered, found.duplicates,
         found.dead_letters, len(found.lost), f"{recovery:.1f} s"],
    )  # fmt: skip
    assert not found.lost
    assert not found.altered
    assert not found.overtaken
    assert (status.accepted, status.pending) == (found.published, 0)
    assert (status.delivered, status.dead_letters) == (found.delivered, found.dead_letters)
    assert (after.state, after.accepted, after.pending) == ("connected", found.published, 0)
    assert (after.delivered, after.dead_letters) == (found.delivered, found.dead_letters)
    if backend.section["type"].lower() == "sql":
        assert found.duplicates == 0


@contextmanager
def scene_of(fault: Fault, backend: Backend, folder: Path) -> Iterator[Scene]:
    """Hand out the scene of a fault, with a proxy before the server."""
    delivery = {"spool": str(folder / "spool"), "durability": "process"}
    section = {**backend.section, "delivery": delivery}
    if backend.section["type"] == "pika":
        section["heartbeat"] = HEARTBEAT_SECONDS
    scene = Scene(backend, folder, section)
    if backend.server is None:
        yield scene
        return
    with proxy_of(backend) as scene.proxy:
        scene.section = {**section, **backend.at(scene.proxy.port)}
        scene.section |= {"delivery": delivery, **fault.section(scene)}
        scene.section = {name: value for name, value in scene.section.items() if value is not None}
        yield scene


def proxy_of(backend: Backend) -> Proxy:
    """Return a proxy for the backend's server."""
    if isinstance(backend.server, Kafka):
        return Proxy(backend.server.port_behind_proxy, backend.server.proxy_port)
    if isinstance(backend.server, (Redis, Nats, HttpServer)):
        return Proxy(backend.server.port)
    return Proxy(backend.section["port"])


def started(stack: ExitStack, scene: Scene) -> tuple[EventBroker, Stream]:
    """Start a broker and a stream that goes to it."""
    broker = stack.enter_context(event_brokers.connect(scene.section, name=shown.NAME))
    return broker, stack.enter_context(Stream(broker))


def endure(fault: Fault, stream: Stream, metrics: shown.Metrics, before: shown.Shown) -> None:
    """Let the stream go on under a fault for as long as it lasts, and until `/metrics` shows it.

    Parameters:
        fault: has struck.
        stream: goes on.
        metrics: of the process.
        before: what they said before.
    """
    stream.go_on(EVENTS_DURING, fault.seconds)
    metrics.wait_for(fault.shows, before)


def seconds_to_first_delivery(broker: EventBroker) -> float:
    """Return how long it takes from now on until an event is delivered, or none waits."""
    began, before = time.monotonic(), broker.status().delivered

    def delivered() -> bool:
        status = broker.status()
        return status.delivered > before or not status.pending

    wait_until(delivered, RECOVERY_SECONDS)
    return time.monotonic() - began
