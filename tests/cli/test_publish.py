"""`event-brokers publish`: every line arrives, is named as bad, or is counted as pending."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from command import Commands, closing_line, ended, numbered
from servers.backends import Backend
from waiting import wait_until

RASA = Path(__file__).parent.parent / "data" / "rasa-3.6.21-events.jsonl"


def test_every_event_of_rasa_arrives(commands: Commands, backend: Backend) -> None:
    """The plain client of each server reads equal bodies in order."""
    commands.broker(backend.section)
    done = commands.run("publish", str(RASA))
    assert (done.code, done.out, done.err) == (0, closing_line(26, 26), "")
    lines = RASA.read_text(encoding="utf-8").splitlines()
    assert [json.loads(found.body) for found in backend.read()] == list(map(json.loads, lines))


def test_a_bad_line_is_named_and_the_others_are_sent(commands: Commands) -> None:
    """In a file as in standard input; the value of the line is never shown."""
    lines = ['{"n": 1}', "[1]", "", '{"canary": NaN}', "  ", '{"canary": ', '{"n": 2}']
    name = commands.events(*lines)
    done = commands.run("publish", name, "-", given='"canary"\n\ufeff{"n": 3}')
    assert done.code == 65
    assert done.out == closing_line(3, 3)
    assert done.err.splitlines() == [
        "events.jsonl:2: not a JSON object",
        "events.jsonl:4: event.canary: NaN and infinity have no JSON",
        "events.jsonl:6: not JSON, from column 11 on",
        "standard input:1: not a JSON object",
    ]
    assert commands.read() == [{"n": 1}, {"n": 2}, {"n": 3}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": "\xff"}', "not UTF-8 text"),
        (b'{"a": "\\ud800"}', "event.a: a lone surrogate has no UTF-8"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "holds a number with too many digits"),
    ],
    ids=["encoding", "surrogate", "depth", "digits"],
)
def test_no_line_ends_in_a_traceback(commands: Commands, line: bytes, reason: str) -> None:
    """Whatever stands in a file, it is the line that is wrong."""
    (commands.folder / "bad.jsonl").write_bytes(line + b'\n{"n": 1}')
    done = commands.run("publish", "bad.jsonl")
    assert (done.code, done.out) == (65, closing_line(1, 1))
    assert done.err == f"bad.jsonl:1: {reason}\n"


def test_standard_input_is_published_as_it_comes(commands: Commands) -> None:
    """`tail -f` can feed it: no line waits for the next one."""
    with commands.start("publish", "-") as process:
        assert process.stdin is not None
        process.stdin.write('{"n": 1}\n')
        process.stdin.flush()
        wait_until(lambda: commands.read() == [{"n": 1}])
        done = ended(process, '{"n": 2}\n')
    assert (done.code, done.out) == (0, closing_line(2, 2))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_prints_the_same_line(
    commands: Commands, number: signal.Signals
) -> None:
    """What was accepted is delivered; the code says which signal it was."""
    with commands.start("publish", "-") as process:
        assert process.stdin is not None
        process.stdin.write('{"n": 1}\n')
        process.stdin.flush()
        wait_until(lambda: commands.read() == [{"n": 1}])
        process.send_signal(number)
        assert process.wait(20) == 128 + number
        done = ended(process)
    assert (done.out, done.err) == (closing_line(1, 1), "")


def test_a_signal_ends_the_wait_for_a_broker_that_hangs(commands: Commands) -> None:
    """The deadline is short, and the line counts what was not delivered."""
    commands.broker({"publish_fails": "hangs"})
    name = commands.events(*numbered(3))
    with commands.start("publish", "--timeout", "1000", "--json", name) as process:
        wait_until((commands.folder / "hangs").exists)
        process.send_signal(signal.SIGTERM)
        done = ended(process)
    assert done.code == 128 + signal.SIGTERM
    assert (done.document["accepted"], done.document["pending"]) == (3, 3)


def test_a_broker_that_is_down_is_given_up_after_the_timeout(commands: Commands) -> None:
    """The reason stands beside the counts."""
    commands.broker({"connect_fails": "unavailable"})
    done = commands.run("publish", "--timeout", "0.5", commands.events(*numbered(3)))
    assert (done.code, done.out) == (75, closing_line(3, 0, pending=3))
    assert done.err.splitlines()[-1] == "retrying: nobody listens"


def test_what_a_person_must_change_is_not_waited_for(commands: Commands) -> None:
    """It ends long before the timeout, with the code for configuration."""
    commands.broker({"connect_fails": "configuration"})
    done = commands.run("publish", "--timeout", "1000", commands.events(*numbered(3)))
    assert (done.code, done.out) == (78, closing_line(3, 0, pending=3))
    assert done.err.splitlines()[-1] == "halted: the password is wrong"


def test_what_a_spool_keeps_is_delivered_by_the_next_run(commands: Commands) -> None:
    """First and in order; the counts are those of the run, not of the spool's life."""
    delivery = {"spool": "waiting"}
    commands.broker({"delivery": delivery, "connect_fails": "unavailable"})
    first, second = commands.events({"n": 1}, {"n": 2}), commands.events({"n": 3}, name="second")
    done = commands.run("publish", "--timeout", "0.5", first)
    assert (done.code, done.out) == (75, closing_line(2, 0, pending=2))
    assert done.err.splitlines()[-1] == "what is pending stays in the spool 'waiting'"
    commands.broker({"delivery": delivery})
    done = commands.run("publish", second)
    assert (done.code, done.out) == (0, closing_line(3, 3))
    assert done.err.splitlines()[0] == "2 events wait in the spool already, and go first"
    assert commands.read() == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert commands.run("publish", second).out == closing_line(1, 1)


def test_dead_letters_are_named_and_not_a_million_of_them(commands: Commands) -> None:
    """Their reasons, twenty of them, and how many more there are."""
    commands.broker({"publish_fails": "rejected", "sentence": "no such type"})
    done = commands.run("publish", commands.events(*numbered(30)))
    assert (done.code, done.out) == (65, closing_line(30, 0, dead_letters=30))
    lines = done.err.splitlines()
    assert len(lines) == 21
    assert all(line.endswith(": no such type") for line in lines[:20])
    assert lines[20] == "and 10 more dead letters"


def test_a_queue_smaller_than_the_file_is_waited_for(commands: Commands) -> None:
    """However small it is, everything arrives in order."""
    commands.broker({"delivery": {"max_pending": 3}})
    events = numbered(1000)
    done = commands.run("publish", commands.events(*events))
    assert (done.code, done.out, done.err) == (0, closing_line(1000, 1000), "")
    assert commands.read() == events


def test_an_event_that_fits_into_no_queue_is_a_bad_line(commands: Commands) -> None:
    """It does not hold up the others."""
    commands.broker({"delivery": {"max_bytes": 100}})
    name = commands.events({"n": 1}, {"n": "x" * 200}, {"n": 2})
    done = commands.run("publish", name)
    assert (done.code, done.out) == (65, closing_line(2, 2))
    assert done.err.startswith("events.jsonl:2: ")
    assert "delivery.max_bytes is 100" in done.err


def test_a_full_queue_that_nobody_empties_is_given_up(commands: Commands) -> None:
    """What was accepted is counted, and the rest is not sent."""
    commands.broker({"connect_fails": "unavailable", "delivery": {"max_pending": 3}})
    done = commands.run("publish", "--timeout", "0.5", "-", given='{"n": 1}\n' * 10)
    assert (done.code, done.out) == (75, closing_line(3, 0, pending=3))
    assert "Error: gave up: 3 events wait and delivery.max_pending is 3" in done.err.splitlines()


@pytest.mark.parametrize(
    ("file", "sentence"),
    [("missing.jsonl", "no such file or directory"), ("plugins", "is a directory")],
)
def test_nothing_is_sent_where_a_file_cannot_be_read(
    commands: Commands, file: str, sentence: str
) -> None:
    """Not even the files before it: who mistypes a name can simply call it again."""
    done = commands.run("publish", commands.events({"n": 1}), file)
    assert (done.code, done.out, done.err) == (66, "", f"Error: {file}: {sentence}\n")
    assert commands.read() == []


def test_a_spool_that_cannot_be_used_is_an_error_in_words(commands: Commands) -> None:
    """No traceback, and no line that claims something."""
    commands.broker({"delivery": {"spool": "plugins/journal_broker.py"}})
    done = commands.run("publish", commands.events({"n": 1}))
    assert (done.code, done.out) == (78, "")
    assert "journal_broker.py' is a file; name a folder" in done.err
    assert "Traceback" not in done.err


def test_machines_get_one_document(commands: Commands) -> None:
    """On standard output, and nothing else there."""
    done = commands.run("publish", "--json", commands.events({"n": 1}, "x"))
    expected = {
        "accepted": 1, "delivered": 1, "pending": 0, "dead_letters": 0, "bad_lines": 1,
        "state": "connected", "last_error": None, "exit_code": 65, "exit_name": "EX_DATAERR",
    }  # fmt: skip
    assert done.document == expected
    assert done.code == 65


def test_a_terminal_shows_a_bar_and_the_line_stays_clean(commands: Commands) -> None:
    """The bar is on standard error: the output can be piped on."""
    commands.broker({"connect_fails": "unavailable"})
    name = commands.events(*numbered(3))
    ours, theirs = pty.openpty()
    with commands.start(
        "publish", "--timeout", "1", name, stderr=theirs, env={"TERM": "xterm", "COLUMNS": "120"}
    ) as process:
        os.close(theirs)
        shown = _all_of(ours)
        done = ended(process)
    assert done.out == closing_line(3, 0, pending=3)
    assert "100%" in shown
    assert "0 delivered, 3 pending, retrying" in shown


def _all_of(descriptor: int) -> str:
    """Return what is written to a terminal until nobody has it open."""
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(descriptor, 4096)
        except OSError:  # Linux says so in place of an end of file
            part = b""
        if not part:
            os.close(descriptor)
            return b"".join(parts).decode()
        parts.append(part)


PEAK = """
import resource, sys
from event_brokers.cli import main
try:
    main(sys.argv[1:])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_file_of_any_size_takes_no_more_memory(commands: Commands) -> None:
    """40 MB of events need about what 40 kB need."""
    commands.broker({"delivery": {"max_pending": 500}})

    def peak(count: int) -> int:
        name = commands.events(*[{"n": number, "text": "x" * 1000} for number in range(count)])
        arguments: list[Any] = [sys.executable, "-c", PEAK, "publish", name]
        environment = {**os.environ, "PYTHONPATH": str(commands.plugins)}
        shown = subprocess.run(
            arguments, cwd=commands.folder, env=environment, capture_output=True, check=True
        ).stdout
        line, kilobytes = shown.decode().splitlines()
        assert line + "\n" == closing_line(count, count)
        return int(kilobytes)

    assert peak(40_000) - peak(40) < 10_000
