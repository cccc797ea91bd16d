"""A handler for the standard library's logging publishes what is logged, and is in nobody's way."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import ConfigurationError
from event_brokers.logging import EventHandler
from event_brokers.testing import MemoryBroker
from kill_after import arrived_after_kill
from waiting import wait_until


@contextmanager
def handled(handler: EventHandler, name: str = "agent") -> Iterator[logging.Logger]:
    """Return a logger whose records the handler gets, and close the handler."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()


def published(memory: MemoryBroker) -> list[dict[str, Any]]:
    """Return the events that have arrived."""
    return [json.loads(event.body) for event in memory.arrived]


def test_a_record_is_an_event() -> None:
    """Of the conversation and the kind that `extra` names, with all else that stands there."""
    memory = MemoryBroker()
    with memory.start() as broker, handled(EventHandler(broker)) as logger:
        logger.info("no %s today", "table", extra={"sender_id": "guest-7"})
        logger.warning("searched", extra={"sender_id": 7, "event": "tool", "hits": [1, 2]})
        broker.flush(20)
    info, tool = published(memory)
    assert info.pop("timestamp") <= tool.pop("timestamp")
    assert info == {
        "sender_id": "guest-7", "event": "log", "level": "INFO", "logger": "agent",
        "text": "no table today",
    }  # fmt: skip
    assert tool == {
        "sender_id": "7", "event": "tool", "level": "WARNING", "logger": "agent",
        "text": "searched", "metadata": {"hits": [1, 2]},
    }  # fmt: skip
    assert [event.sender_id for event in memory.arrived] == ["guest-7", "7"]


def test_the_exception_and_the_stack_are_told() -> None:
    """As text; a formatter, which `basicConfig` gives to any handler, forms exceptions alone."""
    memory = MemoryBroker()
    handler = EventHandler(memory.start())
    with handled(handler) as logger:
        try:
            raise LookupError("no such tool")
        except LookupError:
            logger.exception("failed", stack_info=True)
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        logger.info("formatted")
        wait_until(lambda: len(memory.arrived) == 2)
    failed, formatted = published(memory)
    assert failed["text"] == "failed"
    assert failed["exception"].endswith("LookupError: no such tool")
    assert "test_event_handler.py" in failed["stack"]
    assert formatted["text"] == "formatted"


def test_it_is_configured_by_a_dictionary(tmp_path: Path) -> None:
    """With the path of an endpoints.yml; the handler's end delivers and closes its broker."""
    endpoints = {"event_broker": {"type": "sql", "db": str(tmp_path / "events.db")}}
    (tmp_path / "endpoints.yml").write_text(yaml.safe_dump(endpoints))
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {
                "events": {
                    "class": "event_brokers.logging.EventHandler",
                    "broker": str(tmp_path / "endpoints.yml"),
                    "level": "INFO",
                    "close_timeout": 30.0,
                }
            },
            "loggers": {"agent": {"handlers": ["events"], "level": "DEBUG"}},
        }
    )
    logger = logging.getLogger("agent")
    (handler,) = logger.handlers
    try:
        logger.debug("too fine")
        logger.info("kept", extra={"sender_id": "a"})
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        handler.close()
    with closing(sqlite3.connect(tmp_path / "events.db")) as database:
        rows = database.execute("SELECT sender_id, type_name, data FROM events").fetchall()
    assert [(*row[:2], json.loads(row[2])["text"]) for row in rows] == [("a", "log", "kept")]
    with pytest.raises(ConfigurationError, match="no plugin serves 'kafak'"):
        EventHandler({"type": "kafak"})


def test_a_broker_that_is_given_stays_open() -> None:
    """It is the application's."""
    memory = MemoryBroker()
    with memory.start() as broker:
        with handled(EventHandler(broker)) as logger:
            logger.info("one")
        broker.publish({"event": "other"})
    assert [event.type for event in memory.arrived] == ["log", "other"]


def test_a_full_queue_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Also where the handler gets the line that tells of it: it publishes nothing of our own."""
    memory = MemoryBroker()
    memory.hang()
    with memory.start(max_pending=2) as broker:
        handler = EventHandler(broker)
        with handled(handler, "") as root:
            for number in range(20):
                logging.getLogger("agent").info("line %d", number)
            logging.getLogger("event_brokers").warning("nobody is to get this")
            logging.getLogger("event_brokers_kafka.connection").warning("nor this")
            assert root.handlers
        assert handler.lost == 18
        memory.answer()
        broker.flush(20)
    assert [event["text"] for event in published(memory)] == ["line 0", "line 1"]
    assert len([line for line in caplog.messages if line.startswith("log records: ")]) == 1


def test_what_a_client_logs_while_it_delivers_is_not_published() -> None:
    """Each would make the next delivery, and that the next line."""
    memory = MemoryBroker()

    def log(_: object) -> None:
        logging.getLogger("some.client").debug("sent")

    memory.publishes.extend([log] * 100)
    with memory.start() as broker, handled(EventHandler(broker), ""):
        logging.getLogger("agent").info("one")
        broker.flush(20)
        assert broker.status().accepted == 1


def test_a_closed_broker_costs_the_application_nothing() -> None:
    """Whoever logs at the end of a program goes on."""
    broker = MemoryBroker().start()
    handler = EventHandler(broker)
    with handled(handler) as logger:
        broker.close()
        logger.info("late")
    assert handler.lost == 1


@pytest.mark.parametrize("is_told", [True, False])
def test_a_record_that_cannot_be_formatted_is_told_as_everywhere(
    is_told: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, where `logging.raiseExceptions` is on; it is the application's mistake."""
    monkeypatch.setattr(logging, "raiseExceptions", is_told)
    monkeypatch.setattr(logging.getLogger("agent"), "propagate", False)  # to pytest, which raises
    memory = MemoryBroker()
    with memory.start() as broker, handled(EventHandler(broker)) as logger:
        logger.info("%d tables", "no")  # noqa: PLE1206, RUF100 - the mistake
        logger.info("good")
        broker.flush(20)
    assert [event["text"] for event in published(memory)] == ["good"]
    assert ("--- Logging error ---" in capsys.readouterr().err) is is_told


class Striking:
    """Something that sends a signal when it is shown, on the way through the handler."""

    def __str__(self) -> str:
        os.kill(os.getpid(), signal.SIGUSR1)
        return "struck"


@contextmanager
def on_signal(act: Callable[[int, object], None]) -> Iterator[None]:
    """Handle that signal."""
    before = signal.signal(signal.SIGUSR1, act)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_handler_may_log_while_something_is_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both arrive."""
    monkeypatch.setattr(logging.getLogger("agent"), "propagate", False)  # nobody else shows it
    memory = MemoryBroker()
    with (
        memory.start() as broker,
        handled(EventHandler(broker)) as logger,
        on_signal(lambda *_: logger.info("of the handler")),
    ):
        logger.info("%s", Striking())
        broker.flush(20)
    assert sorted(event["text"] for event in published(memory)) == ["of the handler", "struck"]


def test_what_a_signal_handler_raises_is_the_applications(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time limit ends what it limits, also where it strikes in here."""
    monkeypatch.setattr(logging.getLogger("agent"), "propagate", False)

    def raise_it(_number: int, _frame: object) -> None:
        raise TimeoutError("the time is up")

    memory = MemoryBroker()
    with (
        memory.start() as broker,
        handled(handler := EventHandler(broker)) as logger,
        on_signal(raise_it),
    ):
        with pytest.raises(TimeoutError):
            logger.info("%s", Striking())
        assert handler.lost == 0


def test_a_time_limit_ends_a_publish_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What strikes in `publish` is not taken for a failure of the broker."""

    def raise_it(_number: int, _frame: object) -> None:
        raise TimeoutError("the time is up")

    def strike(_: object) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)

    with (
        MemoryBroker().start() as broker,
        handled(handler := EventHandler(broker)) as logger,
        on_signal(raise_it),
    ):
        monkeypatch.setattr(broker, "publish", strike)
        with pytest.raises(TimeoutError):
            logger.info("one")
        assert handler.lost == 0


def test_a_record_of_another_program_is_published() -> None:
    """As a server makes it of what it receives, with nothing of what a logger fills in."""
    memory = MemoryBroker()
    with memory.start() as broker:
        EventHandler(broker).handle(logging.makeLogRecord({"msg": "hi"}))
        broker.flush(20)
    assert [event["text"] for event in published(memory)] == ["hi"]


class Unsayable:
    """Something that even fails to be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary()
    | st.text(st.characters(exclude_categories=())) | st.builds(object) | st.builds(Unsayable),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(
    text=st.text(st.characters(exclude_categories=())), value=VALUES, sender_id=VALUES, event=VALUES
)
def test_no_record_raises_into_the_application(
    text: str, value: Any, sender_id: Any, event: Any
) -> None:
    """Whatever stands in `extra`: the record arrives, unless its text cannot be made."""
    memory = MemoryBroker()
    before, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        with memory.start() as broker, handled(EventHandler(broker), "agent.alone") as logger:
            logger.propagate = False  # pytest's report cannot hold a lone surrogate
            logger.info(text, extra={"value": value, "sender_id": sender_id, "event": event})
            logger.info("%s", "last")
            broker.flush(20)
    finally:
        logging.raiseExceptions = before
    assert published(memory)[-1]["text"] == "last"
    assert (
        len(memory.arrived) == 2
        or isinstance(sender_id, Unsayable)
        or "Unsayable" in repr((sender_id, event))
    )


def test_what_has_no_json_is_left_out_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """By its name, and not its value."""
    memory = MemoryBroker()
    with memory.start() as broker, handled(EventHandler(broker)) as logger:
        for _ in range(2):
            logger.info("x", extra={"socket": {"secret"}, "port": 80})
        broker.flush(20)
    assert [event["metadata"] for event in published(memory)] == [{"port": 80}] * 2
    (line,) = [line for line in caplog.messages if line.startswith("log records: ")]
    assert "'socket'" in line
    assert "secret" not in line


LOGGING = """
import logging, sys
from event_brokers.logging import EventHandler
logging.basicConfig(level=logging.INFO, handlers=[EventHandler({section!r})])
for number in range(20):
    logging.info("line %d", number)
print("logged", flush=True)
sys.stdin.read()
"""


def test_what_was_logged_survives_sigkill(tmp_path: Path) -> None:
    """With a spool it is on the disk when the call returns, while the broker is away."""
    arrived = arrived_after_kill(LOGGING, 20, tmp_path)
    assert [json.loads(body)["text"] for _, body in arrived] == [f"line {n}" for n in range(20)]


def test_a_program_that_just_ends_has_delivered(tmp_path: Path) -> None:
    """Nobody has to close a handler: `logging` does at the end, and the broker drains before."""
    section = {"type": "sql", "db": str(tmp_path / "events.db")}
    program = LOGGING.format(section=section).replace("sys.stdin.read()", "")
    run = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stderr) == (0, "")
    with closing(sqlite3.connect(tmp_path / "events.db")) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (20,)


def test_threads_log_beside_one_another() -> None:
    """No record is lost, and each thread's come in its order."""
    memory = MemoryBroker()
    with memory.start() as broker, handled(EventHandler(broker)) as logger:

        def log(name: str) -> None:
            for number in range(50):
                logger.info("%d", number, extra={"sender_id": name})

        threads = [threading.Thread(target=log, args=(f"t{index}",)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        broker.flush(20)
    for index in range(8):
        mine = [each["text"] for each in published(memory) if each["sender_id"] == f"t{index}"]
        assert mine == [str(number) for number in range(50)]
