"""Asking what commands there are loads none of what they need to run."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest

from event_brokers.cli.program import GROUP, Commands
from event_brokers.registrations import registrations

COMMANDS = sorted({entry.name for entry in registrations(GROUP)})
OURS = {entry.module.partition(".")[0] for entry in registrations(GROUP)} | {"event_brokers"}
HEAVY = {"asyncio", "concurrent", "http", "multiprocessing", "sqlite3", "ssl"}
LATER = {"event_brokers.engine", "event_brokers.endpoints", "event_brokers.plugins"}
WIDE = 1000
PROGRAM = """
import json, sys
import click, importlib_metadata  # what the command line itself is made of
importlib_metadata.entry_points(group="event_brokers.commands")
before = {{name.partition(".")[0] for name in sys.modules}}
from event_brokers.cli.program import Commands, group, run
{action}
print()
print(json.dumps([name for name in sys.modules if name.partition(".")[0] not in before]))
"""


def imported_by(action: str) -> set[str]:
    """Return what a fresh process has imported once it has done something.

    Parameters:
        action: a line of Python.
    """
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(action=action)],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return set(json.loads(done.stdout.splitlines()[-1]))


def needless(modules: set[str]) -> set[str]:
    """Return the packages among them that a description of commands has no use for."""
    packages = {name.partition(".")[0] for name in modules}
    return packages & HEAVY | packages - sys.stdlib_module_names - OURS


def test_help_loads_no_command_that_could_be_run() -> None:
    """No client, no server, no event loop: whoever asks for help does not wait for them."""
    found = imported_by("run(['--help'])")
    assert needless(found) == set()
    assert not found & LATER


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_of_another_distribution_is_light_to_load(name: str) -> None:
    """What it needs to run is imported when it runs: the help of all commands loads it."""
    found = imported_by(
        f"Commands('all').get_command(click.Context(group), {name!r}).get_short_help_str()"
    )
    assert needless(found) == set()


def test_the_list_says_of_each_command_what_its_own_help_says() -> None:
    """It is written twice: where the commands are listed, without loading them, and there."""
    commands = Commands("all")
    context = click.Context(commands)
    for name in commands.list_commands(context):
        listed = commands.get_command(context, name)
        _, loaded, _ = commands.resolve_command(context, [name])
        assert listed is not None
        assert loaded is not None
        assert listed.get_short_help_str(WIDE) == loaded.get_short_help_str(WIDE)
