"""layers.ini says who may import whom: what it allows passes, and each thing it forbids is found.

It is held against the repository by `nox -s lint`; here against packages of empty modules.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wheels import ROOT

PLUGINS = {"kafka": ("hooks", "connection"), "sql": ("hooks", "engine", "address")}
PATHS = (
    "core/src", "assistant/src", "monitor/src",
    "plugins/kafka_broker/src", "plugins/sql_broker/src",
)  # fmt: skip


def layers() -> list[str]:
    """Return the rooms of the core that must exist."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / "layers.ini", encoding="utf-8")
    words = re.split(r"[\s|]+", contracts["importlinter:contract:rooms"]["layers"].strip())
    return [word for word in words if not word.startswith("(")]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository of empty modules: the core's rooms, two plugins, and the applications."""
    shutil.copyfile(ROOT / "layers.ini", tmp_path / "layers.ini")
    write_package(tmp_path / "core/src/event_brokers", *layers())
    write_package(tmp_path / "core/src/event_brokers/plugin", "tls")
    write_package(tmp_path / "core/src/event_brokers/cli", "output", "check")
    write_package(tmp_path / "core/src/event_brokers/testing", "conformance", "subject")
    write_package(tmp_path / "assistant/src/event_brokers_assistant", "run", "database", "tracker")
    write_package(tmp_path / "monitor/src/event_brokers_monitor", "observer")
    for name, modules in PLUGINS.items():
        folder = tmp_path / f"plugins/{name}_broker/src/event_brokers_{name}"
        write_package(folder, *modules)
    return tmp_path


def write_package(folder: Path, *modules: str) -> None:
    """Make a package of empty modules; one that shall be a package stays a module."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("__init__", *modules):
        (folder / f"{name}.py").touch()
    folder.with_suffix(".py").unlink(missing_ok=True)


def add_import(repository: Path, importer: str, imported: str) -> None:
    """Let one module import another one."""
    (file,) = repository.glob(f"**/src/{importer.replace('.', '/')}.py")
    with file.open("a", encoding="utf-8") as source:
        source.write(f"import {imported}\n")


def check(repository: Path) -> subprocess.CompletedProcess[str]:
    """Hold the contracts against a repository."""
    path = os.pathsep.join(str(repository / folder) for folder in PATHS)
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "check_layers.py")],
        cwd=repository, env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        check=False, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("event_brokers.broker", "event_brokers.engine"),
        ("event_brokers.cli.check", "event_brokers.endpoints"),
        ("event_brokers_kafka.hooks", "event_brokers"),
        ("event_brokers_kafka.hooks", "event_brokers.plugin"),
        ("event_brokers_kafka.hooks", "event_brokers.plugin.tls"),
        ("event_brokers_assistant.run", "event_brokers.cli.output"),
        ("event_brokers_assistant.database", "event_brokers_sql.engine"),
        ("event_brokers_monitor.observer", "event_brokers.destinations"),
        ("event_brokers.testing.conformance", "pytest"),
    ],
)
def test_what_points_down_may_be_imported(importer: str, imported: str, repository: Path) -> None:
    """Rooms below, the floor of the plugins, and what applications may use beside it."""
    add_import(repository, importer, imported)
    checked = check(repository)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("event_brokers.errors", "event_brokers.broker"),
        ("event_brokers.delivery", "event_brokers.engine"),
        ("event_brokers.broker", "event_brokers.consumer"),
        ("event_brokers.engine", "event_brokers.plugin"),
        ("event_brokers.broker", "event_brokers_kafka"),
        ("event_brokers_kafka.hooks", "event_brokers.endpoints"),
        ("event_brokers_kafka.hooks", "event_brokers.cli.output"),
        ("event_brokers_kafka.hooks", "event_brokers_sql.engine"),
        ("event_brokers_kafka.hooks", "event_brokers_assistant"),
        ("event_brokers_assistant.run", "event_brokers.engine"),
        ("event_brokers_assistant.run", "event_brokers.destinations"),
        ("event_brokers_assistant.run", "event_brokers_monitor.observer"),
        ("event_brokers_monitor.observer", "event_brokers_assistant.run"),
        ("event_brokers_monitor.observer", "event_brokers.engine"),
        ("event_brokers_assistant.run", "event_brokers.cli.check"),
        ("event_brokers_assistant.database", "event_brokers_sql.address"),
        ("event_brokers_assistant.tracker", "event_brokers_sql.engine"),
        ("event_brokers.engine", "pytest"),
        ("event_brokers.broker", "event_brokers.testing.subject"),
        ("event_brokers_kafka.hooks", "pytest"),
    ],
)
def test_what_points_up_or_into_a_room_is_found(
    importer: str, imported: str, repository: Path
) -> None:
    """The sentence names who imports what."""
    add_import(repository, importer, imported)
    checked = check(repository)
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert f"{importer} -> {imported}" in checked.stdout


def test_a_circle_is_found(repository: Path) -> None:
    """Also inside one distribution, where there are no layers."""
    add_import(repository, "event_brokers_kafka.hooks", "event_brokers_kafka.connection")
    add_import(repository, "event_brokers_kafka.connection", "event_brokers_kafka.hooks")
    checked = check(repository)
    assert (checked.returncode, "nothing goes round in a circle BROKEN" in checked.stdout) == (
        1,
        True,
    )


def test_a_room_of_which_the_contract_knows_nothing_is_found(repository: Path) -> None:
    """A new module of the core gets a place in layers.ini."""
    write_package(repository / "core/src/event_brokers", "attic")
    assert "event_brokers.attic" in check(repository).stdout
