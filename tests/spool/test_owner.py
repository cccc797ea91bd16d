"""Two configurations with one spool: the events of neither go astray without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from event_brokers import ConfigurationError, DeadLetter
from event_brokers.condition import Condition, State
from event_brokers.queues.spool import Spool
from event_brokers.testing import MemoryBroker
from spools import BATCH_BYTES, an_event, ids, open_spool, run_elsewhere

KAFKA = "type kafka, url localhost:9092, topic events"
SQL = "type sql, db events.db"


def spool_of(folder: Path, owner: str | None) -> Spool:
    """Return the spool in a folder, as a configuration opens it."""
    return Spool(folder, "process", None, 2**40, 2**40, owner)


def test_the_same_configuration_comes_back_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also while another process of it delivers."""
    first = spool_of(tmp_path / "spool", KAFKA)
    assert first.right.acquire()
    second = spool_of(tmp_path / "spool", KAFKA)
    assert not second.right.acquire()
    first.right.release()
    assert second.right.acquire()
    assert caplog.text == ""
    second.right.release()
    first.close()
    second.close()


def test_another_configuration_takes_over_what_nobody_delivers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With one warning that names both; the places of the first are not the second's."""
    first = spool_of(tmp_path / "spool", KAFKA)
    first.append([an_event(1)], 0)
    first.remember_places(["topic events"])
    first.close()
    second = spool_of(tmp_path / "spool", SQL)
    assert second.right.acquire()
    (record,) = caplog.records
    assert KAFKA in record.getMessage()
    assert SQL in record.getMessage()
    assert ids(second.peek(10, BATCH_BYTES)) == [an_event(1).id]
    assert second.used_places() == frozenset()
    second.right.release()
    second.close()
    spool_of(tmp_path / "spool", SQL).close()
    assert len(caplog.records) == 1


def test_another_configuration_is_refused_while_somebody_delivers(tmp_path: Path) -> None:
    """In a sentence that names the option and both, before anything of it is accepted."""
    first = spool_of(tmp_path / "spool", KAFKA)
    assert first.right.acquire()
    with pytest.raises(ConfigurationError) as caught:
        spool_of(tmp_path / "spool", SQL)
    sentence = str(caught.value)
    assert sentence.startswith("event_broker.delivery.spool: ")
    assert KAFKA in sentence
    assert SQL in sentence
    first.right.release()
    first.close()


def test_it_is_refused_while_another_process_delivers(tmp_path: Path) -> None:
    """Whoever has the right may be in any process."""
    program = f"""
import sys
from pathlib import Path
from event_brokers.queues.spool import Spool
spool = Spool(Path(sys.argv[1]), "process", None, 2**40, 2**40, {KAFKA!r})
assert spool.right.acquire()
print("delivers", flush=True)
sys.stdin.read()
"""
    with run_elsewhere(program, str(tmp_path / "spool")) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "delivers\n"
        with pytest.raises(ConfigurationError, match="topic events"):
            spool_of(tmp_path / "spool", SQL)
    second = spool_of(tmp_path / "spool", SQL)
    assert second.right.acquire()
    second.right.release()
    second.close()


def test_whoever_gets_the_right_looks_again(tmp_path: Path) -> None:
    """The spool was taken over meanwhile: it lets go of the right, and says why."""
    first = spool_of(tmp_path / "spool", KAFKA)
    second = spool_of(tmp_path / "spool", SQL)
    with pytest.raises(ConfigurationError, match=r"event_broker\.delivery\.spool: .* taken over"):
        first.right.acquire()
    assert second.right.acquire()
    second.right.note(Condition(State.CONNECTED))
    assert first.right.condition() == Condition(State.CONNECTED)
    second.right.release()
    first.close()
    second.close()


def test_who_only_looks_neither_asks_nor_changes_whose_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as the command line, while somebody delivers."""
    first = spool_of(tmp_path / "spool", KAFKA)
    assert first.right.acquire()
    looking = open_spool(tmp_path / "spool")
    assert looking.has_deliverer()
    looking.close()
    first.right.release()
    first.close()
    open_spool(tmp_path / "spool").close()
    spool_of(tmp_path / "spool", KAFKA).close()
    assert caplog.text == ""


def test_a_salvage_keeps_whose_it_is_and_what_was_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As far as that can be read."""
    spool = spool_of(tmp_path / "spool", KAFKA)
    spool.append([an_event(number) for number in range(500)], 0)
    spool.bury([DeadLetter(an_event(0), "refused", 1.0)])
    spool.remember_places(["topic events", "topic others"])
    spool.close()
    file = tmp_path / "spool" / "data" / "events.db"
    with file.open("r+b") as opened:
        opened.seek(-4096, 2)
        opened.write(b"!" * 4096)
    again = spool_of(tmp_path / "spool", KAFKA)
    while batch := again.peek(100, BATCH_BYTES):
        again.settle(ids(batch))
    assert "were salvaged" in caplog.text
    assert again.used_places() == {"topic events", "topic others"}
    again.close()
    caplog.clear()
    spool_of(tmp_path / "spool", SQL).close()
    assert KAFKA in caplog.text


def test_a_broker_says_whose_its_spool_is(tmp_path: Path) -> None:
    """The type and its place, as the settings tell it."""
    with MemoryBroker().start(spool=str(tmp_path / "spool")) as broker:
        broker.publish({"n": 1})
        broker.flush(20)
        with pytest.raises(ConfigurationError, match="is being delivered to type memory"):
            spool_of(tmp_path / "spool", SQL)
