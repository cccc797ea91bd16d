"""What is private in kafka-python stands in one module, and the versions it was tried with."""

from __future__ import annotations

import ast
import gc
from importlib.metadata import requires
from pathlib import Path

import psutil
import pytest
from kafka.protocol.metadata import MetadataRequest
from packaging.requirements import Requirement

import event_brokers_kafka
from event_brokers_kafka.kafka_internals import close_on_failure
from private_names import find_private_names
from servers import Kafka

MODULES = sorted(Path(str(event_brokers_kafka.__file__)).parent.rglob("*.py"))
PRIVATE_PACKAGE = "kafka.net"  # its documentation knows nothing of it, and 3.1 has changed it


def private_modules(module: Path) -> set[str]:
    """Return the modules of the private package that a module imports."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name for name in imported if name and f"{name}.".startswith(f"{PRIVATE_PACKAGE}.")}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_only_one_module_uses_what_is_private(module: Path) -> None:
    """There each has its reason; a new version of kafka-python is tried against that module."""
    found = sorted(
        name
        for name in find_private_names(module) | private_modules(module)
        if not name.startswith("KafkaError._")  # librdkafka documents its own codes by such names
    )
    expected = [
        "kafka.net",
        "kafka.net.compat",
        "kafka.net.sasl",
        "producer._sender",
        "producer._unregister_cleanup",
        "self._manager._conns",
        "super()._build_client",
        "transport._sock",
    ]
    assert found == (expected if module.stem == "kafka_internals" else [])


def test_the_range_of_versions_ends_where_nobody_has_tried() -> None:
    """What is private there may be gone with the next one, and in 3.1 some of it is."""
    (wanted,) = (
        requirement
        for requirement in map(Requirement, requires("event-brokers-kafka") or ())
        if requirement.name == "kafka-python" and requirement.marker is None
    )
    assert wanted.specifier.contains("3.0.12")
    assert not wanted.specifier.contains("3.1.0")


def connections() -> set[int]:
    """Return the local ports of the connections that this process has."""
    return {each.laddr.port for each in psutil.Process().net_connections("tcp") if each.raddr}


@pytest.mark.xdist_group("kafka")
def test_a_client_closes_what_it_has_still_to_write_to(kafka: Kafka) -> None:
    """Such a socket stayed open until the garbage collector came."""
    before = connections()
    with close_on_failure() as make:
        client = make(bootstrap_servers=[kafka.bootstrap()])
        client.get_broker_version(10_000)
        (broker,) = client.cluster.brokers()
        client.await_ready(broker.node_id)
    assert connections() - before
    kafka.pause()
    gc.disable()
    try:
        topics = [MetadataRequest.MetadataRequestTopic(name="x" * 30_000)] * 1_000
        client.send(broker.node_id, MetadataRequest(topics=topics))
        client.close()
        assert connections() <= before
    finally:
        gc.enable()
        kafka.resume()
