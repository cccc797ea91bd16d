"""`event-brokers spool`: what waits on disk can be seen, sent again, dropped and taken out."""

from __future__ import annotations

import json
import re
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

import event_brokers
from command import Commands, closing_line
from stand_in import write_plugin
from waiting import wait_until

SPOOL: dict[str, Any] = {"delivery": {"spool": "waiting"}}
EVENTS = [{"sender_id": "ann", "event": "user", "text": "canary", "n": n} for n in range(3)]


@pytest.fixture
def left(commands: Commands) -> list[str]:
    """Leave two dead letters and one pending event; return their ids in that order."""
    commands.broker({**SPOOL, "publish_fails": "rejected", "sentence": "no such type"})
    assert commands.run("publish", commands.events(*EVENTS[:2])).code == 65
    commands.broker({**SPOOL, "connect_fails": "unavailable"})
    assert commands.run("publish", "--timeout", "0.3", commands.events(EVENTS[2])).code == 75
    return [*dead_letters(commands), *(each["id"] for each in listed(commands, "--pending"))]


def listed(commands: Commands, *words: str) -> list[dict[str, Any]]:
    """Return what `spool list` knows of each event."""
    document = commands.run("spool", "list", "--json", *words).document
    found: list[dict[str, Any]] = document["events" if words else "dead_letters"]
    return found


def status(commands: Commands) -> dict[str, Any]:
    """Return what `spool status` says."""
    return commands.run("spool", "status", "--json").document


def dead_letters(commands: Commands) -> list[str]:
    """Return the ids of the dead letters."""
    return [each["id"] for each in listed(commands)]


def test_status_counts_and_says_how_delivery_goes(commands: Commands, left: list[str]) -> None:
    """In words, and for machines; nobody delivers between two runs."""
    assert len(left) == 3
    done = commands.run("spool", "status")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "0 delivered"
    assert lines[1].startswith("1 pending, the oldest for ")
    assert lines[2] == "2 dead letters"
    assert lines[4:] == ["delivery: no process delivers now", "last error: nobody listens"]
    document = status(commands)
    assert document["spool"] == "waiting"
    assert (document["accepted"], document["pending"], document["dead_letters"]) == (3, 1, 2)
    assert document["state"] is None
    assert document["oldest_pending_seconds"] > 0
    assert document["bytes"] > 0


def test_status_shows_what_another_process_does(commands: Commands, left: list[str]) -> None:
    """While it delivers, or tries to."""
    with commands.start("publish", "-") as process:
        wait_until(lambda: status(commands)["state"] == "retrying")
        assert status(commands)["last_error"] == "nobody listens"
        assert status(commands)["pending"] == 1
        process.terminate()
        process.communicate(timeout=60)
    assert left[2] in {each["id"] for each in listed(commands, "--pending")}


def test_status_says_since_when_and_what_comes_next(commands: Commands) -> None:
    """Of the process that delivers, told by another one; and when the broker last confirmed."""
    commands.broker(SPOOL)
    assert commands.run("publish", commands.events(*EVENTS)).code == 0
    lines = commands.run("spool", "status").out.splitlines()
    assert lines[0] == "3 delivered"
    assert re.fullmatch(r"last confirm: \d+\.\d s ago, \d events in the last minute", lines[-1])
    commands.broker({**SPOOL, "connect_fails": "unavailable"})
    with commands.start("publish", "-") as process:
        wait_until(lambda: status(commands)["state"] == "retrying")
        lines = commands.run("spool", "status").out.splitlines()
        says = r"delivery: retrying for \d+\.\d s; it connects again (now|in \d+\.\d s)"
        assert re.fullmatch(says, lines[4])
        document = status(commands)
        assert document["last_confirm_seconds"] > 0
        assert document["state_seconds"] >= 0
        assert document["next_step"].startswith("connects again ")
        process.terminate()
        process.communicate(timeout=60)
    assert status(commands)["next_step"] is None


def test_list_shows_no_body_and_show_shows_one(commands: Commands, left: list[str]) -> None:
    """A list is looked at over shoulders; a body is asked for by its id."""
    done = commands.run("spool", "list")
    assert "canary" not in done.out
    lines = done.out.splitlines()
    assert [line.partition("  ")[0] for line in lines] == left[:2]
    assert all("  user  ann  " in line and line.endswith("no such type") for line in lines)
    assert commands.run("spool", "list", "--pending").out == f"{left[2]}  user  ann\n"
    first = listed(commands)[0]
    assert (first["id"], first["reason"], first["attempts"]) == (left[0], "no such type", 1)
    for event_id, event in zip(left, EVENTS, strict=True):
        shown = commands.run("spool", "show", event_id)
        assert json.loads(shown.out.partition("\n")[2]) == event
        assert commands.run("spool", "show", event_id, "--json").document["body"] == event


def test_retry_puts_dead_letters_behind_what_waits(commands: Commands, left: list[str]) -> None:
    """Then they are delivered, once the broker takes them."""
    done = commands.run("spool", "retry", left[1])
    assert (done.code, done.out) == (0, "1 dead letters wait again\n")
    assert done.err == "no process delivers now; the next one that uses this spool will\n"
    assert commands.run("spool", "retry", "--all").out == "1 dead letters wait again\n"
    commands.broker(SPOOL)
    done = commands.run("publish", "-")
    assert (done.code, done.out) == (0, closing_line(3, 3))
    assert commands.read() == [EVENTS[2], EVENTS[1], EVENTS[0]]


def test_retry_reaches_a_process_that_delivers(commands: Commands, left: list[str]) -> None:
    """It need not be told."""
    commands.broker(SPOOL)
    with commands.start("publish", "-") as process:
        wait_until(lambda: commands.read() == [EVENTS[2]])
        done = commands.run("spool", "retry", "--all")
        assert (done.code, done.err) == (0, "")
        wait_until(lambda: len(commands.read()) == len(left))
        process.terminate()
        process.communicate(timeout=60)


def test_drop_forgets_dead_letters_and_what_waits(commands: Commands, left: list[str]) -> None:
    """For good, and the counts agree."""
    done = commands.run("spool", "drop", left[0], left[2])
    assert (done.code, done.out) == (0, "2 events dropped\n")
    document = status(commands)
    assert (document["pending"], document["dead_letters"]) == (0, 1)
    assert dead_letters(commands) == [left[1]]


@pytest.mark.parametrize("command", ["retry", "drop", "show"])
def test_an_unknown_id_is_named(commands: Commands, left: list[str], command: str) -> None:
    """And the known ones beside it are dealt with."""
    known = [] if command == "show" else [left[0]]
    done = commands.run("spool", command, "nobody", *known)
    assert done.code == 65
    assert "'nobody' in the spool" in done.err
    if known:
        assert done.out.startswith("1 ")


def test_what_is_exported_can_be_published(commands: Commands, left: list[str]) -> None:
    """Every body, what waits first; only its owner may read the file."""
    done = commands.run("spool", "export", "saved.jsonl")
    assert (done.code, done.out) == (0, "3 events exported\n")
    saved = commands.folder / "saved.jsonl"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert commands.run("spool", "export", "-").out == saved.read_text(encoding="utf-8")
    assert commands.run("spool", "export", "saved.jsonl").code == 74
    commands.broker({})
    assert commands.run("publish", "saved.jsonl").out == closing_line(3, 3)
    assert commands.read() == [EVENTS[2], *EVENTS[:2]]
    assert len(left) == 3


ONCE = """
import pathlib
from event_brokers import ConfigurationError, hookimpl

place = pathlib.Path("queue")

@hookimpl
def connect(options, used):
    if "queue" in used and not place.exists():
        raise ConfigurationError("queue 'queue' was here, and is missing")
    place.touch()
    used.add("queue")
    return place

@hookimpl
def publish(connection, events):
    with connection.open("ab") as file:
        file.writelines(event.body + b"\\n" for event in events)

@hookimpl
def close(connection): pass
"""


def test_a_missing_place_is_made_anew_once_it_is_forgotten(commands: Commands) -> None:
    """Until somebody says so, events wait: what the broker lost may come back."""
    write_plugin(commands.plugins, "once", ONCE, "once-broker")
    commands.broker({"type": "once", **SPOOL})
    queue, name = commands.folder / "queue", commands.events(EVENTS[0])
    assert commands.run("publish", name).out == closing_line(1, 1)
    queue.unlink()
    done = commands.run("publish", name)
    assert (done.code, done.out) == (78, closing_line(1, 0, 1))
    assert "queue 'queue' was here, and is missing" in done.err
    assert not queue.exists()
    assert commands.run("spool", "forget-places").out == "1 places forgotten: queue\n"
    assert commands.run("spool", "forget-places", "--json").document["forgotten"] == []
    assert commands.run("publish", "-").out == closing_line(1, 1)
    assert len(queue.read_bytes().splitlines()) == 1


def test_check_says_how_many_wait(commands: Commands, left: list[str]) -> None:
    """Also where the broker is down, and where they were meant for another one."""
    assert left
    done = commands.run("check")
    assert (done.code, done.err) == (69, "Error: nobody listens\n")
    assert "spool 'waiting': 1 events wait, and go there first" in done.out
    commands.broker({"type": "sql", **SPOOL})
    document = commands.run("check", "--json").document
    assert (document["type"], document["pending"], document["exit_code"]) == ("sql", 1, 0)


def test_looking_never_makes_a_spool(commands: Commands) -> None:
    """A wrong name is an error, and leaves nothing behind."""
    commands.broker(SPOOL)
    for words in (["status"], ["list"], ["retry", "--all"], ["export", "x"]):
        done = commands.run("spool", *words)
        assert (done.code, done.out) == (66, "")
        assert done.err == "Error: 'waiting': nothing was published into this spool yet\n"
    assert commands.run("check").code == 0
    assert not (commands.folder / "waiting").exists()
    assert not (commands.folder / "x").exists()


def test_a_file_that_names_no_spool_says_so(commands: Commands) -> None:
    """With the option to set."""
    done = commands.run("spool", "status")
    assert (done.code, done.out) == (78, "")
    assert "event_broker.delivery.spool: events wait in memory" in done.err


def test_the_counts_are_those_of_the_status(commands: Commands, left: list[str]) -> None:
    """Who asks the command and who asks the library reads the same numbers."""
    shown = status(commands)
    section = {"type": "sql", "db": str(commands.folder / "events.db"), "delivery": {
        "spool": str(commands.folder / "waiting"), "exit_timeout": 0}}  # fmt: skip
    with event_brokers.connect(section) as broker:
        end = broker.flush(20)
    assert end.accepted == shown["accepted"] == len(left)
    assert end.dead_letters == shown["dead_letters"]
    assert (end.delivered, end.pending) == (1, 0)


def test_a_spool_that_is_no_spool_is_said(commands: Commands, tmp_path: Path) -> None:
    """A file in its place."""
    commands.broker(SPOOL)
    shutil.copy(commands.folder / "endpoints.yml", tmp_path / "waiting")
    done = commands.run("spool", "status")
    assert (done.code, done.out) == (78, "")
    assert "is a file; name a folder" in done.err
