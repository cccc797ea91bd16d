"""Nothing that was said in a conversation, or by a broker, plays with somebody's terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest

import event_brokers
from command import Commands
from event_brokers.wording import printable, printable_json
from servers.backends import Backend
from stand_in import write_plugin

# a title, clear screen, a carriage return, C1's own way to begin, DEL, bidi, a line of its own
HOSTILE = (
    "\x1b]0;title\x07\x1b[2J\rgone\x9b31m\x7f\x08\u202eevil\u2066\u200b\u2028x\nError: forged \x00"
)
EVENT = {"sender_id": HOSTILE, "event": HOSTILE, "text": HOSTILE, HOSTILE: [HOSTILE]}
SPOOL: dict[str, Any] = {"delivery": {"spool": "waiting"}}


def assert_harmless(shown: str) -> None:
    """Fail where a terminal would get more than letters and line ends."""
    found = {each for each in shown if unicodedata.category(each)[0] == "C"} - {"\n"}
    assert not found
    assert "\u2028" not in shown
    assert not any(line.startswith("Error: forged") for line in shown.splitlines())


@pytest.fixture
def left(commands: Commands) -> list[str]:
    """Leave a dead letter, a pending event and an error of the broker's, all of them hostile."""
    commands.broker({**SPOOL, "publish_fails": "rejected", "sentence": HOSTILE})
    refused = commands.run("publish", commands.events(EVENT))
    assert refused.code == 65
    assert_harmless(refused.out + refused.err)
    commands.broker({**SPOOL, "connect_fails": "unavailable", "sentence": HOSTILE})
    unavailable = commands.run("publish", "--timeout", "0.3", commands.events(EVENT))
    assert unavailable.code == 75
    assert_harmless(unavailable.out + unavailable.err)
    events = commands.run("spool", "list", "--pending", "--json").document["events"]
    letters = commands.run("spool", "list", "--json").document["dead_letters"]
    return [each["id"] for each in (*letters, *events)]


def test_no_look_at_a_spool_plays_with_the_terminal(commands: Commands, left: list[str]) -> None:
    """Conversation, type, reason and body; for people and as JSON, which says the same as ever."""
    looks = [["status"], ["list"], ["list", "--pending"], *(["show", id_] for id_ in left)]
    for words in looks:
        for form in ([], ["--json"]):
            done = commands.run("spool", *words, *form)
            assert done.code == 0
            assert_harmless(done.out + done.err)
    for event_id in left:
        shown = commands.run("spool", "show", event_id)
        assert json.loads(shown.out.partition("\n")[2]) == EVENT
        document = commands.run("spool", "show", event_id, "--json").document
        assert document["body"] == EVENT
        assert (document["sender_id"], document["type"]) == (HOSTILE, HOSTILE)
    letter = commands.run("spool", "list", "--json").document["dead_letters"][0]
    assert letter["reason"].startswith("\x1b]0;title")


def test_an_event_takes_one_line_of_a_list(commands: Commands, left: list[str]) -> None:
    """No reason and no conversation makes a second one."""
    for words in (["list"], ["list", "--pending"]):
        assert commands.run("spool", *words).out.count("\n") == 1
    assert len(left) == 2


def test_an_id_given_by_hand_is_shown_harmless(commands: Commands, left: list[str]) -> None:
    """It was copied from somewhere."""
    assert left
    hostile = HOSTILE.replace("\x00", "")
    for command in ("show", "retry", "drop"):
        for form in ([], ["--json"]):
            done = commands.run("spool", command, hostile, *form)
            assert done.code == 65
            assert_harmless(done.out + done.err)


def test_what_is_exported_is_the_body_byte_for_byte(commands: Commands, left: list[str]) -> None:
    """Into a file and into a pipe."""
    assert commands.run("spool", "export", "saved.jsonl").code == 0
    saved = (commands.folder / "saved.jsonl").read_bytes()
    assert [json.loads(line) for line in saved.splitlines()] == [EVENT] * len(left)
    with (commands.folder / "piped").open("wb") as piped:
        assert commands.run("spool", "export", "-", stdout=piped).code == 0
    assert (commands.folder / "piped").read_bytes() == saved


def on_a_terminal(commands: Commands, *words: str) -> str:
    """Run a command whose standard output is a terminal, and return what that would show."""
    ours, its = pty.openpty()
    with commands.start(*words, stdout=its, stdin=subprocess.DEVNULL) as process:
        os.close(its)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # Linux's way to say that nobody writes any more
            pass
        process.communicate(timeout=60)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_what_is_exported_to_a_terminal_is_harmless(commands: Commands, left: list[str]) -> None:
    """The same JSON, escaped."""
    shown = on_a_terminal(commands, "spool", "export", "-")
    assert_harmless(shown)
    assert [json.loads(line) for line in shown.splitlines()] == [EVENT] * len(left)


def test_tail_is_harmless(sqlite_backend: Backend, commands: Commands) -> None:
    """With a body that is no JSON, too; and `--json` gives the event as it is."""
    with event_brokers.connect(sqlite_backend.section) as broker:
        broker.publish(EVENT, headers={"x": "\u202e"})
        broker.publish({HOSTILE: 1})
    commands.broker(sqlite_backend.section)
    for form in ([], ["--json"]):
        with commands.start("tail", "--from-start", *form) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(2)]
            process.kill()
        assert_harmless("".join(lines))
        if form:
            assert json.loads(lines[0])["event"] == EVENT


@pytest.mark.parametrize("failure", ["unavailable", "configuration", "unforeseen"])
def test_what_a_broker_says_is_shown_harmless(commands: Commands, failure: str) -> None:
    """By `check` and by `publish`, on standard error, in JSON and in a traceback."""
    commands.broker({"connect_fails": failure, "sentence": HOSTILE})
    name = commands.events({"n": 1})
    for words in (["check"], ["publish", "--timeout", "0.3", name]):
        for form in ([], ["--json"], ["--debug"]):
            done = commands.run(*words, *form)
            assert done.code
            assert_harmless(done.out + done.err)
            if form == ["--json"]:
                assert json.loads(done.out)["exit_code"] == done.code


def test_what_a_plugin_says_of_itself_is_shown_harmless(commands: Commands) -> None:
    """The sentences of `check`, and names, options and problems in `plugins`."""
    source = f"""
from typing import Annotated
from msgspec import Meta
from event_brokers import Options, hookimpl
class Curious(Options, frozen=True, kw_only=True):
    value: Annotated[str, Meta(description={HOSTILE!r})] = {HOSTILE!r}
@hookimpl
def options(): return Curious
@hookimpl
def connect(options): raise AssertionError
@hookimpl
def publish(connection, events): raise AssertionError
@hookimpl
def close(connection): raise AssertionError
@hookimpl
def check(options): return [{HOSTILE!r}]
"""
    write_plugin(commands.plugins, "curious", source, "curious-broker")
    write_plugin(commands.plugins, "broken", f"raise ValueError({HOSTILE!r})", "broken-broker")
    commands.broker({"type": "curious"})
    for words in (["check"], ["plugins"]):
        for form in ([], ["--json"]):
            done = commands.run(*words, *form)
            assert done.code == 0
            assert_harmless(done.out + done.err)


def test_what_is_printable_stays_as_it_is() -> None:
    """Letters of every script; what is not is an escape, also half of a surrogate pair."""
    assert printable("Grüße, 世界 🙂") == "Grüße, 世界 🙂"
    assert printable("a\tb\n\udcff") == r"a\tb\n\udcff"
    text = json.dumps({"k": "Grüße 🙂\x7f\U000e0041\udcff\n"}, indent=1, ensure_ascii=False)
    assert printable_json(text) == '{\n "k": "Grüße 🙂\\u007f\\udb40\\udc41\\udcff\\n"\n}'
    assert json.loads(printable_json(text)) == json.loads(text)


def test_commands_have_one_way_to_show() -> None:
    """Whoever writes past `Output` is on this list, and makes it harmless himself."""
    folder = Path(event_brokers.__file__).parent / "cli"
    found = {
        path.name for path in folder.glob("*.py") if "click.echo" in path.read_text("utf-8")
        or "print(" in path.read_text("utf-8")
    }  # fmt: skip
    assert found == {"output.py", "tail.py", "plugins.py"}
