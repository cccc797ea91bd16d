"""`event-brokers plugins`: what is installed, what it takes, and what cannot be used."""

from __future__ import annotations

import pytest

from command import Commands
from stand_in import write_plugin
from wheels import VERSION


def test_every_option_is_listed_with_type_default_and_meaning(commands: Commands) -> None:
    """Of each plugin and of the section `delivery`, made from the options classes."""
    document = commands.run("plugins", "--json").document
    plugins = {plugin["type"]: plugin for plugin in document["plugins"]}
    assert {"file", "kafka", "pika", "sql"} <= plugins.keys()
    assert plugins["kafka"]["distribution"] == "event-brokers-kafka"
    options = {option["name"]: option for option in plugins["pika"]["options"]}
    assert options["queue"]["default"] == "rasa_core_events"
    everything = [option for plugin in plugins.values() for option in plugin["options"]]
    for option in [*everything, *document["delivery"]]:
        assert option["type"]
        assert option["text"]


def test_people_read_it_without_a_terminal(commands: Commands) -> None:
    """A file or a pipe gets whole lines."""
    done = commands.run("plugins")
    assert (done.code, done.err) == (0, "")
    assert f"pika: event-brokers-pika {VERSION}" in done.out
    assert "file: file-broker 1.0\n  does not describe its options" in done.out
    assert "delivery: for every type" in done.out


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_client", "no_such_client"),
        ("from event_brokers import hookimpl\n@hookimpl\ndef conect(options): pass", "conect"),
        ("", "connect"),
    ],
    ids=["import", "misspelt", "empty"],
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
