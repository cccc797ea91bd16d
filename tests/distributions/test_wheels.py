"""What the distributions hold, need and promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheels import FOLDERS, PLUGINS, ROOT, VERSION, Wheel, read_project

pytestmark = pytest.mark.xdist_group("wheels")

NEEDS = {
    "event-brokers": {"importlib-metadata", "msgspec", "pluggy", "PyYAML"},
    "event-brokers-assistant": {"event-brokers", "starlette", "uvicorn"},
    "event-brokers-monitor": {"event-brokers", "starlette", "uvicorn"},
    "event-brokers-opentelemetry": {"event-brokers", "opentelemetry-sdk"},
}


def is_copied(path: Path) -> bool:
    """Return whether a file is one that `plugins new` copies, or that the live page is made of."""
    folders = {"plugin-template", "files"} & set(path.parts)
    return bool(folders) and path.is_file() and "__pycache__" not in path.parts


@pytest.mark.parametrize("name", FOLDERS)
def test_a_wheel_holds_the_package_and_nothing_else(name: str, wheels: dict[str, Wheel]) -> None:
    """Every module, py.typed, the licence and the metadata; no tests, no leftovers."""
    source = wheels[name].folder / "src"
    package = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.suffix == ".py" or path.name == "py.typed" or is_copied(path)
    }
    assert any(path.endswith("/py.typed") for path in package)
    metadata = {"METADATA", "RECORD", "WHEEL", "licenses/LICENSE", "top_level.txt"}
    if {"scripts", "entry-points"} & read_project(wheels[name].folder).keys():
        metadata.add("entry_points.txt")
    information = f"{name.replace('-', '_')}-{VERSION}.dist-info"
    assert wheels[name].files() == package | {f"{information}/{file}" for file in metadata}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_wheel_says_what_it_is(name: str, wheels: dict[str, Wheel]) -> None:
    """Name, version, licence, the oldest Python, and a text for the index's page."""
    metadata = wheels[name].metadata()
    assert metadata["Name"] == name
    assert metadata["Version"] == VERSION
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata.get_payload() == (FOLDERS[name] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NEEDS)
def test_what_is_needed_is_no_client_of_a_broker(name: str, wheels: dict[str, Wheel]) -> None:
    """Without an extra, of the core, the assistant, the live page and the integration."""
    assert wheels[name].needs() == NEEDS[name]


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_needs_the_core_and_its_own_client_alone(
    name: str, wheels: dict[str, Wheel]
) -> None:
    """Nobody gets the client of a broker they do not use."""
    clients = wheels[name].needs() - {"event-brokers"}
    assert "event-brokers" in wheels[name].needs()
    assert len(clients) <= 1
    assert not any(clients & wheels[other].needs() for other in PLUGINS if other != name)


@pytest.mark.parametrize("name", FOLDERS)
def test_every_distribution_carries_the_same_licence(name: str) -> None:
    """Each folder's LICENSE is a copy of the one at the top."""
    assert (FOLDERS[name] / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
