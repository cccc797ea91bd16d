"""`event-brokers shell`: a conversation in the terminal."""

from __future__ import annotations

import json
import os

from command import Commands, closing_line

BOT = """
from event_brokers_assistant.events import SlotSet
def model(tracker, message):
    if message.text == "fail":
        raise RuntimeError
    return [SlotSet("said", message.text), {"text": f"you said {message.text}", "buttons": [1]}]
"""


def test_lines_go_in_and_answers_come_out(commands: Commands) -> None:
    """Everything is streamed, and the closing line counts it; an empty line says nothing."""
    (commands.folder / "agent.py").write_text(BOT)
    run = commands.run("shell", "-m", "agent.py", given="hi\n\nyou\n")
    assert run.out.splitlines() == [
        "bot> you said hi", 'bot> {"buttons": [1]}',
        "bot> you said you", 'bot> {"buttons": [1]}',
        closing_line(11, 11).strip(),
    ]  # fmt: skip
    assert (run.code, run.err) == (0, "")
    assert [event["event"] for event in commands.read()] == [
        "action", "session_started", "action", "user", "slot", "bot", "action",
        "user", "slot", "bot", "action",
    ]  # fmt: skip
    assert commands.read()[3]["input_channel"] == "cmdline"


def test_the_events_of_each_turn_are_shown(commands: Commands) -> None:
    """As they are streamed, a JSON object a line, under the turn that made them."""
    (commands.folder / "agent.py").write_text(BOT)
    run = commands.run("shell", "-m", "agent.py", "--events", "--sender", "me", given="hi\n")
    lines = run.out.splitlines()
    assert lines[0] == "bot> you said hi"
    assert [json.loads(line) for line in lines[2:-1]] == commands.read()
    assert {event["sender_id"] for event in commands.read()} == {"me"}


def test_no_answer_plays_with_the_terminal(commands: Commands) -> None:
    """Each of its lines stays one of the bot's, and an event stays JSON."""
    (commands.folder / "agent.py").write_text(
        'def model(tracker, message): return ["a\\x1b[2J\\x7f\\nError: forged \\u202e"]\n'
    )
    run = commands.run("shell", "-m", "agent.py", "--events", given="hi\n")
    lines = run.out.splitlines()
    assert lines[:2] == [r"bot> a\x1b[2J\x7f", r"bot> Error: forged \u202e"]
    assert run.out.replace("\n", "").isprintable()
    assert [json.loads(line) for line in lines[2:-1]] == commands.read()


def test_stop_ends_it(commands: Commands) -> None:
    """What stands behind it is not said."""
    run = commands.run("shell", given="hi\n/stop\nyou\n")
    assert run.out.count("bot> ") == 1
    assert run.code == 0


def test_a_model_that_fails_ends_nothing(commands: Commands) -> None:
    """The error is a sentence, and the next line is answered."""
    (commands.folder / "agent.py").write_text(BOT)
    run = commands.run("shell", "-m", "agent.py", given="fail\nhi\n")
    assert run.err == "Error: the model raised RuntimeError at agent.py:5\n"
    assert "bot> you said hi" in run.out


def test_without_a_broker_it_says_that_nothing_is_streamed(commands: Commands) -> None:
    """Also where there is no endpoints.yml at all."""
    (commands.folder / "endpoints.yml").unlink()
    run = commands.run("shell", given="hi\n")
    assert run.err == "no event_broker in endpoints.yml: nothing is streamed\n"
    assert (run.code, run.out.count("\n")) == (0, 1)


def test_a_name_that_cannot_be_kept_is_refused(commands: Commands) -> None:
    """In a sentence, as everywhere."""
    run = commands.run("shell", "--sender", " me", given="hi\n")
    assert run.code == os.EX_DATAERR
    assert run.err == (
        "Error: sender_id: give printable characters without a blank at either end\n"
    )
