"""The program around the commands: help, exit codes, further commands, and no traceback."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from command import Commands
from event_brokers.cli.exit_codes import MEANINGS
from stand_in import write_command
from waiting import wait_until
from wheels import VERSION

DOCUMENT = Path(__file__).parents[2] / "docs" / "command-line.md"


@pytest.mark.parametrize(
    "command", [[], ["publish"], ["check"], ["plugins"], ["spool"], ["spool", "retry"]]
)
def test_every_help_lists_the_exit_codes(commands: Commands, command: list[str]) -> None:
    """By the names of sysexits.h."""
    done = commands.run(*command, "--help")
    assert (done.code, done.err) == (0, "")
    for code, meaning in MEANINGS.items():
        assert f"{code.name:<15} {meaning}" in done.out


def test_the_document_lists_the_same_codes() -> None:
    """A table that was typed once and is not forgotten."""
    text = DOCUMENT.read_text(encoding="utf-8").replace("`", "")
    for code, meaning in MEANINGS.items():
        assert f"| {code} | {code.name} | {meaning} |" in text


@pytest.mark.parametrize(
    "words",
    [["publsh"], ["publish"], ["publish", "--no-such"], ["check", "--timeout", "soon"]],
    ids=["command", "argument", "option", "value"],
)
def test_a_command_given_wrongly_is_usage(commands: Commands, words: list[str]) -> None:
    """With the way to the help, which click before 8.4 names by its short form."""
    done = commands.run(*words)
    assert (done.code, done.out) == (64, "")
    assert "--help' for help" in done.err or "-h' for help" in done.err


def test_a_bug_is_a_sentence_and_debug_shows_where(commands: Commands) -> None:
    """Its text is not ours and may hold anything, so only `--debug` shows it."""
    source = (
        "import click\nfrom event_brokers.cli.arguments import takes_output\n"
        "@click.command()\n@takes_output\ndef command(output): raise ValueError('canary')\n"
    )
    write_command(commands.plugins, "buggy", source)
    done = commands.run("buggy")
    assert (done.code, done.err) == (70, "Error: a bug: ValueError; --debug shows where\n")
    assert "ValueError: canary" in commands.run("buggy", "--debug").err


def test_another_distribution_adds_a_command(commands: Commands) -> None:
    """It is listed, runs, and ends with its own code."""
    source = (
        "import click\n@click.command(short_help='Greets.')\n"
        "def command():\n    click.echo('hello')\n    return 3\n"
    )
    write_command(commands.plugins, "greet", source)
    done = commands.run("greet")
    assert (done.code, done.out) == (3, "hello\n")
    assert "Greets." in commands.run("--help").out


def test_a_command_that_cannot_be_imported_spoils_no_other(commands: Commands) -> None:
    """It says so itself, when it is called."""
    write_command(commands.plugins, "broken", "import no_such_module")
    done = commands.run("broken", "--anything")
    assert done.code == 69
    assert "stand-in-command 1.0 cannot be imported: ModuleNotFoundError" in done.err
    assert commands.run("--help").code == 0


def test_a_reader_that_has_gone_is_no_traceback(commands: Commands) -> None:
    """As in `event-brokers plugins | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    with commands.start("plugins", stdout=writing) as process:
        os.close(writing)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (74, "")


def test_the_version_is_that_of_the_distribution(commands: Commands) -> None:
    """For bug reports."""
    assert commands.run("--version").out == f"event-brokers, version {VERSION}\n"


def test_a_ctrl_c_anywhere_is_no_traceback(commands: Commands) -> None:
    """Also in a command that does nothing about it."""
    source = (
        "import click, pathlib, threading\n@click.command()\n"
        "def command():\n    pathlib.Path('waits').touch()\n    threading.Event().wait()\n"
    )
    write_command(commands.plugins, "wait", source)
    with commands.start("wait") as process:
        wait_until((commands.folder / "waits").exists)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
