"""What the distributions hold, need and promise."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from wheels import FOLDERS, ROOT, Wheel

pytestmark = pytest.mark.xdist_group("wheels")

NEEDS = {
    "event-brokers": {"importlib-metadata", "msgspec", "pluggy", "PyYAML"},
    "event-brokers-assistant": {"event-brokers", "starlette", "uvicorn"},
    "event-brokers-kafka": {"event-brokers", "kafka-python"},
    "event-brokers-pika": {"event-brokers", "pika"},
    "event-brokers-sql": {"event-brokers", "SQLAlchemy"},
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_wheel_holds_the_package_and_nothing_else(name: str, wheels: dict[str, Wheel]) -> None:
    """Every module, py.typed, the licence and the metadata; no tests, no leftovers."""
    source = wheels[name].folder / "src"
    package = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.suffix == ".py" or path.name == "py.typed"
    }
    assert any(path.endswith("/py.typed") for path in package)
    metadata = {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
        "top_level.txt",
    }
    information = f"{name.replace('-', '_')}-0.1.0.dist-info"
    assert wheels[name].files() == package | {f"{information}/{file}" for file in metadata}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_wheel_says_what_it_is(name: str, wheels: dict[str, Wheel]) -> None:
    """Name, version, licence, the oldest Python, and a text for the index's page."""
    metadata = wheels[name].metadata()
    assert metadata["Name"] == name
    assert metadata["Version"] == "0.1.0"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata.get_payload() == (FOLDERS[name] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_distribution_needs_its_own_client_alone(name: str, wheels: dict[str, Wheel]) -> None:
    """What pip installs without an extra: nobody gets the client of a broker they do not use."""
    needed = [
        Requirement(text) for text in wheels[name].metadata().get_all("Requires-Dist", failobj=[])
    ]
    assert {str(need.name) for need in needed if need.marker is None} == NEEDS[name]


@pytest.mark.parametrize("name", [name for name in FOLDERS if name != "event-brokers"])
def test_a_plugin_works_with_the_core_of_its_own_series(
    name: str, wheels: dict[str, Wheel]
) -> None:
    """The range of cores that a plugin accepts."""
    needed = map(Requirement, wheels[name].metadata().get_all("Requires-Dist", failobj=[]))
    (core,) = (need for need in needed if need.name == "event-brokers")
    assert str(core.specifier) == "<0.2,>=0.1"


@pytest.mark.parametrize("name", FOLDERS)
def test_every_distribution_carries_the_same_licence(name: str) -> None:
    """Each folder's LICENSE is a copy of the one at the top."""
    assert (FOLDERS[name] / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
