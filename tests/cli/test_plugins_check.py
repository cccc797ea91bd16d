"""`event-brokers plugins check`: what can be said of an installed plugin without its broker."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from command import Commands
from stand_in import require, write_plugin
from waiting import wait_until

HOOKS = """
from event_brokers import hookimpl
@hookimpl
def connect(options): return object()
@hookimpl
def publish(connection, events): pass
@hookimpl
def close(connection): pass
"""
OPTIONS = """
from typing import Annotated
from msgspec import Meta
from event_brokers import Options, Secret
class Mine(Options, frozen=True, kw_only=True):
    place = ("url",)
    url: Annotated[str, Meta(description="where")] = "localhost"
    password: Annotated[Secret | None, Meta(description="of the user")] = None
@hookimpl
def options(): return Mine
"""
SOUND = HOOKS + OPTIONS
CHECKLESS = "`event-brokers check` connects and closes, and says no more than that"
UNUSABLE = "the plugin 'mine' of mine-dist 1.0: "
ENDLESS = (
    "metadata: no range of event-brokers with an end; depend on what the plugin is built for, "
)
SOCKET = """
import socket
with socket.socket() as one:
    one.settimeout(0.1)
    one.connect_ex(("127.0.0.1", 9))
"""
THREAD = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"


@pytest.fixture
def plugin(commands: Commands) -> Path:
    """Return the package of a plugin of type `mine` of which there is nothing to be said."""
    write_plugin(commands.plugins, "mine", "", "mine-dist")
    (commands.plugins / "mine_dist.py").unlink()
    package = commands.plugins / "mine_dist"
    package.mkdir()
    (package / "py.typed").touch()
    (package / "__init__.py").write_text(SOUND, encoding="utf-8")
    metadata = commands.plugins / "mine_dist-1.0.dist-info" / "METADATA"
    metadata.write_text(f"{metadata.read_text(encoding='utf-8')}Summary: mine\n", encoding="utf-8")
    require(commands.plugins, "mine-dist", "event-brokers>=0.0.1,<99")
    return package


def write(package: Path, source: str) -> None:
    """Write the plugin's module anew."""
    (package / "__init__.py").write_text(source, encoding="utf-8")


def change_metadata(package: Path, before: str, after: str) -> None:
    """Change a text of the distribution's files."""
    for path in package.parent.glob("mine_dist-1.0.dist-info/*"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(before, after), encoding="utf-8")


def test_a_sound_plugin_has_nothing_to_change(commands: Commands, plugin: Path) -> None:
    """What was looked at is listed, and what the plugin could have beside."""
    assert plugin.is_dir()
    done = commands.run("plugins", "check", "MINE")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "mine: mine-dist 1.0"
    assert lines[1:6] == [
        "  ok     hooks: connect, publish, close, options",
        f"  note   no hook 'check': {CHECKLESS}",
        "  note   no hook 'consume': its events cannot be read back",
        "  ok     options: 2, each described, no secret shown",
        "  ok     metadata: mine-dist 1.0, for event-brokers>=0.0.1,<99, typed",
    ]
    assert lines[6].startswith("  ok     import: takes 0.")


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        (HOOKS + OPTIONS.replace("Secret | None", "str | None"),
         "option 'password': would be shown in logs; make its type event_brokers.Secret"),
        (HOOKS + OPTIONS.replace('Meta(description="where")', "Meta(min_length=1)"),
         "option 'url': add msgspec.Meta(description=\"...\")"),
        (SOUND + SOCKET, "importing it touches the network: socket.connect"),
        (SOUND + THREAD, "importing it starts threads: 1"),
        ("import no_such_client",
         f"{UNUSABLE}cannot be imported: ModuleNotFoundError: No module named 'no_such_client'"),
        (SOUND.replace("def close(", "async def close("),
         f"{UNUSABLE}hook 'close' is async; nothing would await it, so make it a def"),
        (f"{SOUND}import os, sys\nif 'click' not in sys.modules: os._exit(3)",
         "a process that imports it ends with: code 3"),
    ],
    ids=["secret", "silent", "network", "thread", "import", "async", "ends"],
)  # fmt: skip
def test_what_is_wrong_in_the_module_is_said(
    commands: Commands, plugin: Path, source: str, finding: str
) -> None:
    """With what to change; the program's code says that there is something."""
    write(plugin, source)
    done = commands.run("plugins", "check", "mine", "--json")
    found = done.document["plugins"][0]["findings"]
    assert [each["text"] for each in found if each["verdict"] == "wrong"] == [finding]
    assert (done.code, done.document["exit_name"]) == (69, "EX_UNAVAILABLE")


@pytest.mark.parametrize(
    ("before", "after", "finding"),
    [
        ("Summary: mine\n", "", "metadata: no summary; add a description to pyproject.toml"),
        (",<99", "", f"{ENDLESS}such as >=0.1,<0.2"),
        ("mine = mine_dist", "Mine = mine_dist",
         "entry point 'Mine': write the type in lower case"),
    ],
    ids=["summary", "range", "case"],
)  # fmt: skip
def test_what_is_wrong_in_the_metadata_is_said(
    commands: Commands, plugin: Path, before: str, after: str, finding: str
) -> None:
    """As above."""
    change_metadata(plugin, before, after)
    done = commands.run("plugins", "check", "mine")
    assert done.code == 69
    wrong = [line for line in done.out.splitlines() if line.startswith("  wrong")]
    assert wrong == [f"  wrong  {finding}"]


def test_a_package_without_py_typed_is_said(commands: Commands, plugin: Path) -> None:
    """Type checkers would not look into it."""
    (plugin / "py.typed").unlink()
    done = commands.run("plugins", "check", "mine")
    assert (done.code, "package 'mine_dist': add a file py.typed" in done.out) == (69, True)


def test_what_a_plugin_prints_at_import_does_not_hide_what_it_costs(
    commands: Commands, plugin: Path
) -> None:
    """Whatever it is, also without a line's end."""
    write(plugin, f"{SOUND}\nimport sys\nsys.stderr.write('hello'); sys.stdout.write('hello')")
    done = commands.run("plugins", "check", "mine")
    assert done.code == 0
    assert "import: takes 0." in done.out


def test_without_a_type_all_are_looked_at(commands: Commands, plugin: Path) -> None:
    """The plugins of this repository among them, of which there is nothing to change."""
    assert plugin.is_dir()
    document = commands.run("plugins", "check", "--json").document
    found = {each["type"]: each["findings"] for each in document["plugins"]}
    assert {"file", "journal", "kafka", "mine", "pika", "sql"} <= found.keys()
    for type_name in ("kafka", "pika", "sql"):
        wrong = [each["text"] for each in found[type_name] if each["verdict"] == "wrong"]
        assert wrong == []


def test_a_type_that_nobody_serves_is_a_sentence(commands: Commands) -> None:
    """Not an empty list."""
    done = commands.run("plugins", "check", "nobody")
    assert (done.code, done.err) == (69, "Error: no installed plugin serves 'nobody'\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_an_import_that_does_not(
    commands: Commands, plugin: Path, number: signal.Signals
) -> None:
    """Nothing is listed by half."""
    write(
        plugin, "import pathlib, threading\npathlib.Path('waits').touch()\nthreading.Event().wait()"
    )
    with commands.start("plugins", "check") as process:
        wait_until((commands.folder / "waits").exists)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + number, "", "")


def test_the_list_has_every_plugin_that_cannot_be_used_with_its_reason(
    commands: Commands, plugin: Path
) -> None:
    """Two of one type, one for another core, one that is no plugin, one that crashes."""
    write(plugin, "raise RuntimeError('no')")
    write_plugin(commands.plugins, "two", HOOKS, "one-two")
    write_plugin(commands.plugins, "two", HOOKS, "two-two")
    write_plugin(commands.plugins, "newer", HOOKS, "newer-dist")
    require(commands.plugins, "newer-dist", "event-brokers>=99,<100")
    write_plugin(commands.plugins, "none", "", "none-dist")
    done = commands.run("plugins")
    reasons = [line for line in done.out.splitlines() if "cannot be used: " in line]
    assert done.code == 0
    assert [line for line in reasons if "both serve 'two'; uninstall one of them" in line][1:]
    for reason in ("RuntimeError: no", "is built for event-brokers>=99,<100", "which has no hook"):
        assert any(reason in line for line in reasons), reason
    assert "journal: journal-broker 1.0\n  does not describe its options" in done.out
