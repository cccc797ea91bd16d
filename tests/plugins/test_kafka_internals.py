"""What is private in kafka-python stands in one module, and the versions it was tried with."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import event_brokers_kafka

MODULES = sorted(Path(str(event_brokers_kafka.__file__)).parent.glob("*.py"))
PRIVATE_PACKAGE = "kafka.net"  # its documentation knows nothing of it, and 3.1 has changed it
OURS = ("self", "cls")


def private(tree: ast.AST) -> Iterator[str]:
    """Yield what a module takes of others that is private there."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner not in OURS:
                if name.startswith("_") and not name.startswith("__"):
                    yield f"{owner}.{name}"
            case ast.Attribute(value=ast.Attribute(), attr=name):
                if name.startswith("_") and not name.startswith("__"):
                    yield name
            case ast.ImportFrom(module=str(module)):
                if f"{module}.".startswith(f"{PRIVATE_PACKAGE}."):
                    yield module


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_only_one_module_uses_what_is_private(module: Path) -> None:
    """There each has its reason; a new version of kafka-python is tried against that module."""
    found = sorted(set(private(ast.parse(module.read_text(encoding="utf-8")))))
    expected = [
        "kafka.net",
        "kafka.net.compat",
        "kafka.net.sasl",
        "producer._sender",
        "producer._unregister_cleanup",
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
