"""What the benchmark promises: no figure of what has not arrived as sent, and every goal named.

Nothing here looks at how large a figure is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import arrival, document, results
from benchmarks.events import numbered
from benchmarks.machine import describe
from benchmarks.results import GoalResult, Results, RowResult, WayResult, spread
from benchmarks.row import OURS, RATE, Goal, Length, Row, Way
from benchmarks.rows import ROWS
from benchmarks.taking_turns import measure, workshop
from event_brokers import Event
from wheels import ROOT

# delivers into a file of SQLite as the real way does, but for what happens to one event
BROKEN = """
import sqlite3
from benchmarks.measuring import measure_delivery
import msgspec

def run(task):
    connection = sqlite3.connect(task.section["db"])

    def deliver(events):
        {what}
        rows = [(each["sender_id"], msgspec.json.encode(each).decode()) for each in events]
        with connection:
            connection.executemany("INSERT INTO measured (sender_id, data) VALUES (?, ?)", rows)

    return measure_delivery(task, deliver)
"""
NOTHING = "pass"
LOSES = "events = events[:-1]"
REORDERS = "events = events[::-1]"
REPEATS = "events = [*events, events[0]]"
BREAKS = "raise OSError('the disk is gone')"


@pytest.fixture
def way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a module that a way may name `peer`, empty, in a folder of its own to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "peer.py"


def a_row(*ways: Way, goals: tuple[Goal, ...] = ()) -> Row:
    """Return a row of SQLite that is short."""
    length = Length(300, 2, 50)
    return Row("sql", "a row", "sqlite", ways, goals, length, length)


def measured(row: Row) -> RowResult:
    """Measure a row in this folder."""
    with workshop({row.place}) as there:
        return measure(row, row.quick, there)


def test_the_command_measures_keeps_and_shows(tmp_path: Path) -> None:
    """`python -m benchmarks start --quick` prints rows with their goals, and keeps the figures."""
    command = [sys.executable, "-m", "benchmarks", "start", "--quick", "--json", "found.json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    rows = results.read(tmp_path / "found.json").rows
    assert [(row.group, row.state, row.quick) for row in rows] == [("start", "measured", True)] * 2
    assert all(row.title in done.stdout for row in rows)
    assert done.stdout.count("met: ms at most ") == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["kafak"], "no row is named kafak; there are start, first, publish, rabbitmq, kafka"),
        (["--json", "x.json"], "'x.json' holds something else than figures; name another file"),
    ],
)
def test_what_is_wrong_with_the_command_line_is_said(
    tmp_path: Path, words: list[str], sentence: str
) -> None:
    """Nothing is measured then, and nothing overwritten."""
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert (tmp_path / "x.json").read_text(encoding="utf-8") == "{}"


def test_ways_take_turns_and_a_goal_is_met_or_not(way: Path) -> None:
    """Ours and a peer: each has its figures, and the goal says what was reached."""
    way.write_text(BROKEN.format(what=NOTHING), encoding="utf-8")
    ways = (Way(OURS, "benchmarks.ways.ours", {"at_once": 1_000}), Way("peer", "peer"))
    low, high = Goal(RATE, "at least", 1e-9, beside="peer"), Goal(RATE, "at least", 1e9)
    turns: list[str] = []
    with workshop({"sqlite"}) as there:
        row = a_row(*ways, goals=(low, high))
        found = measure(row, row.quick, there, turns.append)
    assert found.state == "measured", found.reason
    assert [each.label for each in found.ways] == [OURS, "peer"]
    assert all(each.measures[RATE].median > 0 for each in found.ways)
    assert [goal.met for goal in found.goals] == [True, False]
    assert [turn.partition(": ")[2] for turn in turns] == [
        "event-brokers, 1 of 2", "peer, 1 of 2", "event-brokers, 2 of 2", "peer, 2 of 2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (LOSES, "2 of 350 events are missing"),
        (REORDERS, "has arrived behind a later one of its sender"),
        (REPEATS, "has arrived twice"),
        (BREAKS, "OSError: the disk is gone"),
    ],
)
def test_what_did_not_arrive_as_sent_has_no_figures(way: Path, what: str, reason: str) -> None:
    """The row fails, and says which way it was and what has happened to which event."""
    way.write_text(BROKEN.format(what=what), encoding="utf-8")
    found = measured(a_row(Way("peer", "peer")))
    assert (found.state, found.ways, found.goals) == ("failed", [], [])
    assert found.reason is not None
    assert found.reason.startswith("peer: ")
    assert reason in found.reason


def test_a_peer_that_is_not_installed_is_named_and_the_others_are_measured(way: Path) -> None:
    """Its goal is neither met nor not met."""
    way.write_text(BROKEN.format(what=NOTHING), encoding="utf-8")
    ways = (Way(OURS, "peer"), Way("absent", "absent", needs="no_such_package"))
    found = measured(a_row(*ways, goals=(Goal(RATE, "at least", 1, beside="absent"),)))
    assert found.state == "measured"
    assert [each.missing is None for each in found.ways] == [True, False]
    assert "pip install -r benchmarks/requirements.txt" in (found.ways[1].missing or "")
    assert [goal.met for goal in found.goals] == [None]


def test_another_checkout_takes_turns_with_this_one() -> None:
    """Only ours is doubled: a peer has no other state of our code."""
    row = a_row(Way(OURS, "benchmarks.ways.ours"), Way("peer", "peer"))
    labels = [each.label for each in row.beside(Path("before")).ways]
    assert labels == [OURS, f"{OURS} at before", "peer"]


@given(st.permutations(range(6)))
def test_an_order_is_good_when_no_sender_is_overtaken(order: list[int]) -> None:
    """Two senders: each one's numbers must rise, whatever comes between them."""
    events = numbered(0, 6, senders=2)
    bodies = [Event.from_dict(events[number]).body for number in order]
    rises = all(
        [number for number in order if number % 2 == of] == [*range(of, 6, 2)] for of in (0, 1)
    )
    if rises:
        arrival.check(arrival.read(bodies), 6)
    else:
        with pytest.raises(arrival.NotAsSent):
            arrival.check(arrival.read(bodies), 6)


def test_an_event_that_comes_again_is_forgiven_only_where_it_may() -> None:
    """A broker that was killed may have had it already; its first time counts."""
    bodies = [Event.from_dict(event).body for event in numbered(0, 3, senders=1)]
    again = [*bodies, bodies[1]]
    arrival.check(arrival.drop_repeats(arrival.read(again)), 3)
    with pytest.raises(arrival.NotAsSent, match="event 1 has arrived twice"):
        arrival.check(arrival.read(again), 3)


def test_events_are_as_long_as_it_says() -> None:
    """304 bytes, whatever their number."""
    for number in (0, 7, 99_999, 1_000_000):
        (event,) = numbered(number, 1)
        assert len(Event.from_dict(event).body) == 304


def test_every_row_has_a_title_of_its_own_and_goals_for_ways_it_has() -> None:
    """What is kept is told apart by titles; a goal for no way would never be met."""
    titles = [row.title for row in ROWS]
    assert len(titles) == len({*titles})
    for row in ROWS:
        labels = {way.label for way in row.ways}
        assert {goal.way for goal in row.goals} <= labels
        assert {goal.beside for goal in row.goals if goal.beside} <= labels


def test_the_page_the_readme_and_the_plots_are_written_from_the_file(tmp_path: Path) -> None:
    """Two steps: a run keeps its figures, a second command writes them into a checkout."""
    rates = {OURS: 900.0, "peer": 1_000.0}
    kafka = next(row for row in ROWS if row.group == "kafka")
    row = RowResult(
        group="kafka", title=kafka.title, state="measured", quick=True, rounds=1, length="9 events",
        ways=[WayResult(label, {RATE: spread([rate])}) for label, rate in rates.items()],
        goals=[GoalResult("events/s at least 1 x peer", 0.9, True, False, "peer")],
    )  # fmt: skip
    results.write(Results(describe(), [row]), tmp_path / "found.json")
    (tmp_path / "docs").mkdir()
    for name in ("docs/performance.md", "README.md"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "benchmarks.document", "found.json", "--into", "."]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    page = (tmp_path / "docs" / "performance.md").read_text(encoding="utf-8")
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "- not met: events/s at least 1 x peer: 0.90 x" in page
    assert f"| {kafka.title} (s) | 900 | peer: 1,000 | 0.90 |" in readme
    picture = (tmp_path / "docs" / "performance" / "throughput.svg").read_text(encoding="utf-8")
    assert kafka.title in picture


def test_a_document_gets_the_rows_it_asks_for_and_keeps_the_rest() -> None:
    """What is quick is marked so, what is not measured stays as it was."""
    row = ROWS[0]
    goal = GoalResult("ms at most 20", 12.0, False, True)
    found = Results(
        describe(),
        [
            RowResult(
                group=row.group, title=row.title, state="measured", quick=True, rounds=5,
                length="1 start",
                ways=[WayResult(OURS, {"ms": spread([11.0, 12.0, 13.0])})], goals=[goal],
            )
        ],
    )  # fmt: skip
    text = (
        "before\n<!-- figures start -->\nold\n<!-- /figures -->\n"
        "between\n<!-- figures kafka -->\nkept\n<!-- /figures -->\n"
    )
    written = document.fill(text, found)
    assert "| event-brokers | 12 (11 to 13) |" in written
    assert "in the short form" in written
    assert "- met: ms at most 20: 12" in written
    assert "old" not in written
    assert "kept" in written
    assert document.fill(written, found) == written
