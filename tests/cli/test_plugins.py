"""`event-brokers plugins`: what is installed, what it takes, and what cannot be used."""

from __future__ import annotations

import signal

import pytest

from command import Commands
from stand_in import write_plugin
from waiting import wait_until
from wheels import VERSION


def test_every_option_is_listed_with_type_default_and_meaning(commands: Commands) -> None:
    """Of each plugin and of the section `delivery`, made from the options classes."""
    document = commands.run("plugins", "--json").document
    plugins = {plugin["type"]: plugin for plugin in document["plugins"]}
    assert {"file", "journal", "kafka", "pika", "sql"} <= plugins.keys()
    assert plugins["kafka"]["distribution"] == "event-brokers-kafka"
    options = {option["name"]: option for option in plugins["pika"]["options"]}
    assert options["declare"]["default"] == "true"
    everything = [option for plugin in plugins.values() for option in plugin["options"]]
    for option in [*everything, *document["delivery"]]:
        assert option["type"]
        assert option["text"]


def test_people_read_it_without_a_terminal(commands: Commands) -> None:
    """A file or a pipe gets whole lines."""
    done = commands.run("plugins")
    assert (done.code, done.err) == (0, "")
    assert f"pika: event-brokers-pika {VERSION}" in done.out
    assert "journal: journal-broker 1.0\n  does not describe its options" in done.out
    assert "delivery: for every type" in done.out


BROKEN_OPTIONS = """
from typing import Annotated
import msgspec
from event_brokers import Options, hookimpl
class Mine(Options, frozen=True, kw_only=True):
    count: Annotated[int | None, msgspec.Meta(ge=1)] = None
@hookimpl
def options(): return Mine
@hookimpl
def connect(options): return options
@hookimpl
def publish(connection, events): pass
@hookimpl
def close(connection): pass
"""


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_client", "no_such_client"),
        ("from event_brokers import hookimpl\n@hookimpl\ndef conect(options): pass", "conect"),
        ("", "connect"),
        ("raise SystemExit", "ends the program: SystemExit"),
        ("raise KeyboardInterrupt", "ends the program: KeyboardInterrupt"),
        (BROKEN_OPTIONS, "options class Mine: option 'count': can only set `ge`"),
    ],
    ids=["import", "misspelt", "empty", "exit", "interrupt", "options"],
)
def test_a_plugin_that_cannot_be_used_says_why(
    commands: Commands, source: str, reason: str
) -> None:
    """Beside those that can."""
    write_plugin(commands.plugins, "broken", source, "broken-broker")
    done = commands.run("plugins")
    assert done.code == 0
    assert "broken: broken-broker 1.0" in done.out
    line = next(line for line in done.out.splitlines() if "cannot be used" in line)
    assert reason in line
    assert f"pika: event-brokers-pika {VERSION}" in done.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_an_import_that_does_not(commands: Commands, number: signal.Signals) -> None:
    """A plugin that waits for ever does not hold the terminal; nothing is listed by half."""
    source = "import pathlib, threading\npathlib.Path('waits').touch()\nthreading.Event().wait()"
    write_plugin(commands.plugins, "waiting", source, "waiting-broker")
    with commands.start("plugins") as process:
        wait_until((commands.folder / "waits").exists)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + number, "", "")
