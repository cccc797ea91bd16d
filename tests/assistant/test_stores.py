"""Tracker stores: what is saved is kept and streamed, once, in order, whatever the broker does."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import event_brokers
from event_brokers import ConfigurationError, Event, InvalidEvent, QueueFull
from event_brokers.testing.proxy import Proxy
from event_brokers_assistant import (
    DialogueStateTracker,
    InMemoryTrackerStore,
    SQLTrackerStore,
    TrackerStore,
    TrackerStoreError,
)
from event_brokers_assistant.events import BotUttered, SlotSet, UserUttered, from_dict
from servers import MariaDB, PostgreSQL, free_port

RASA = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "rasa-3.6.21-events.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
MakeStore = Callable[["Recorder | None"], TrackerStore]


class Recorder:
    """A broker that keeps what it accepts, and refuses as long as a test wants."""

    def __init__(self, room: int = 10**9) -> None:
        self.accepted: list[Event] = []
        self.room = room

    def accept(self, events: Sequence[Event]) -> None:
        """Accept all of the events or none."""
        if len(self.accepted) + len(events) > self.room:
            raise QueueFull("the queue is full")
        self.accepted += events

    def bodies(self, sender_id: str | None = None) -> list[dict[str, Any]]:
        """Return the dictionaries of one conversation, or of all."""
        found = [event for event in self.accepted if sender_id in (None, event.sender_id)]
        return [json.loads(event.body) for event in found]


@pytest.fixture
def in_memory() -> MakeStore:
    """Return what makes stores in memory."""
    return lambda broker: InMemoryTrackerStore(event_broker=broker)


@pytest.fixture
def sqlite_store(tmp_path: Path) -> MakeStore:
    """Return what opens one SQLite file."""
    return lambda broker: SQLTrackerStore(db=str(tmp_path / "tracker.db"), event_broker=broker)


def _on(server: PostgreSQL | MariaDB, dialect: str) -> MakeStore:
    server.query("DROP TABLE IF EXISTS tracker_events")
    server.query("DROP TABLE IF EXISTS tracker_conversations")
    return lambda broker: SQLTrackerStore(
        dialect=dialect, host=server.host, port=server.port, db=server.db,
        username=server.username, password=server.password, event_broker=broker,
    )  # fmt: skip


@pytest.fixture
def postgresql_store(postgresql: PostgreSQL) -> MakeStore:
    """Return what opens empty tables in PostgreSQL."""
    return _on(postgresql, "postgresql")


@pytest.fixture
def mariadb_store(mariadb: MariaDB) -> MakeStore:
    """Return what opens empty tables in MariaDB."""
    return _on(mariadb, "mariadb")


SQL = [
    pytest.param("sqlite_store", id="sqlite"),
    pytest.param("postgresql_store", id="postgresql", marks=pytest.mark.xdist_group("postgresql")),
    pytest.param("mariadb_store", id="mariadb", marks=pytest.mark.xdist_group("mariadb")),
]


@pytest.fixture(params=[pytest.param("in_memory", id="memory"), *SQL])
def make_store(request: pytest.FixtureRequest) -> MakeStore:
    """Return what makes each kind of store in turn."""
    found: MakeStore = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=SQL)
def open_store(request: pytest.FixtureRequest) -> MakeStore:
    """Return what opens each kind of store that outlives its process."""
    found: MakeStore = request.getfixturevalue(request.param)
    return found


def say(store: TrackerStore, sender_id: str, *texts: str) -> DialogueStateTracker:
    """Add what a user says to a conversation."""
    tracker = store.get_or_create_tracker(sender_id)
    for text in texts:
        tracker.update(UserUttered(text))
    store.save(tracker)
    return tracker


def stored(store: TrackerStore, sender_id: str) -> list[dict[str, Any]]:
    """Return the events of a conversation as they are streamed."""
    tracker = store.retrieve(sender_id)
    events = tracker.events if tracker else []
    return [{"sender_id": sender_id, **event.to_dict()} for event in events]


def test_what_is_saved_is_streamed_as_in_rasas_stream(make_store: MakeStore) -> None:
    """Every event of the data, equal and in order, with the tracker's sender_id."""
    broker = Recorder()
    with closing(make_store(broker)) as store:
        tracker = store.get_or_create_tracker("f3a1c8e2-web")
        for event in RASA:
            tracker.update(from_dict({key: event[key] for key in event if key != "sender_id"}))
        store.save(tracker)
        assert broker.bodies() == RASA
        assert stored(store, "f3a1c8e2-web") == RASA
        assert list(broker.bodies()[3]) == list(RASA[3])


def test_exactly_the_new_events_are_streamed(make_store: MakeStore) -> None:
    """Saving again streams nothing again; what was added in between goes alone."""
    broker = Recorder()
    with closing(make_store(broker)) as store:
        tracker = say(store, "s", "one", "two")
        store.save(tracker)
        tracker.update(BotUttered("three"))
        store.save(tracker)
        store.save(store.get_or_create_tracker("s"))
        assert [body["text"] for body in broker.bodies()] == ["one", "two", "three"]
        assert store.keys() == ["s"]
        assert store.retrieve("nobody") is None


def test_workers_that_save_one_conversation_keep_the_events_of_both(
    make_store: MakeStore,
) -> None:
    """In the order of arrival, in the store as at the broker, and none twice."""
    broker = Recorder()
    with closing(make_store(broker)) as store:
        first, second = store.get_or_create_tracker("s"), store.get_or_create_tracker("s")
        first.update(UserUttered("first"))
        second.update(UserUttered("second"))
        store.save(second)
        store.save(first)
        assert [event["text"] for event in stored(store, "s")] == ["second", "first"]
        assert broker.bodies() == stored(store, "s")


def test_many_threads_lose_nothing_and_swap_nothing(make_store: MakeStore) -> None:
    """Tracker and broker agree on every conversation."""
    broker, workers, saves = Recorder(), 6, 10
    with closing(make_store(broker)) as store:

        def work(worker: int) -> None:
            for number in range(saves):
                say(store, f"s{number % 2}", f"{worker}-{number}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(broker.accepted) == workers * saves
        for sender_id in ("s0", "s1"):
            assert broker.bodies(sender_id) == stored(store, sender_id)


def test_a_full_queue_fails_no_save_and_loses_nothing(
    make_store: MakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The outage is logged once and counted; its events are streamed later, in order."""
    broker = Recorder(room=3)
    with caplog.at_level(logging.WARNING), closing(make_store(broker)) as store:
        say(store, "s", "1", "2")
        say(store, "s", "3", "4", "5")
        assert [body["text"] for body in broker.bodies()] == ["1", "2", "3"]
        say(store, "s", "6")
        status = store.status()
        assert (status.due, status.last_error) == (3, "the queue is full")
        assert status.failures >= 2
        broker.room = 100
        store.stream_due()
        assert [body["text"] for body in broker.bodies()] == list("123456")
        assert store.status().due == 0
        assert store.status().last_error is None
    assert [message.partition(" after ")[0] for message in caplog.messages] == [
        "assistant: events are stored and not streamed: the queue is full",
        "assistant: events are streamed again",
    ]


def test_a_broker_that_was_closed_fails_no_save(make_store: MakeStore) -> None:
    """A conversation never fails because of its broker."""
    broker = event_brokers.connect({"type": "sql", "db": ":memory:"})
    broker.close()
    with closing(make_store(broker)) as store:  # type: ignore[arg-type]
        say(store, "s", "one")
        assert store.status().due == 1
        assert len(stored(store, "s")) == 1


def test_what_json_cannot_say_is_neither_stored_nor_streamed(make_store: MakeStore) -> None:
    """The error names the place, and the events of that save stay with the tracker."""
    broker = Recorder()
    with closing(make_store(broker)) as store:
        tracker = store.get_or_create_tracker("s")
        tracker.update(UserUttered("fine"))
        tracker.update(SlotSet("x", float("nan")))
        with pytest.raises(InvalidEvent, match=r"event\.value: NaN and infinity"):
            store.save(tracker)
        assert stored(store, "s") == []
        assert broker.accepted == []
        assert len(tracker.new_events) == 2


def test_without_a_broker_nothing_is_due(make_store: MakeStore) -> None:
    """A broker that is configured later does not get what was said before."""
    with closing(make_store(None)) as store:
        say(store, "s", "one")
        assert store.status().due == 0


def test_conversations_outlive_the_process(open_store: MakeStore) -> None:
    """With the domain's slots, as if nothing had happened; and nothing is streamed again."""
    with closing(open_store(Recorder())) as store:
        say(store, "s", "one")
    broker = Recorder()
    with closing(open_store(broker)) as store:
        say(store, "s", "two")
        assert [event["text"] for event in stored(store, "s")] == ["one", "two"]
        assert [body["text"] for body in broker.bodies()] == ["two"]


def test_what_was_due_at_the_end_is_streamed_at_the_next_start(open_store: MakeStore) -> None:
    """With the ids it had, so that nothing is taken for another event."""
    with closing(open_store(Recorder(room=0))) as store:
        say(store, "s", "one", "two")
    broker = Recorder()
    with closing(open_store(broker)) as store:
        assert broker.bodies() == stored(store, "s")
        assert store.status().due == 0


def test_saving_again_what_a_store_already_has_stores_it_once(open_store: MakeStore) -> None:
    """Nobody knows whether a commit that failed was made; the ids tell."""
    broker = Recorder()
    with closing(open_store(broker)) as store:
        tracker = store.get_or_create_tracker("s")
        tracker.update(UserUttered("one"))
        again = tracker.new_events
        store.save(tracker)
        tracker._new = again
        store.save(tracker)
        assert len(stored(store, "s")) == 1
        assert len(broker.accepted) == 1


def test_two_stores_on_one_database_stream_each_event_once(open_store: MakeStore) -> None:
    """As the stores of two workers do, whichever of them comes first."""
    brokers = [Recorder(), Recorder()]
    stores = [open_store(broker) for broker in brokers]

    def work(number: int) -> None:
        for text in range(15):
            say(stores[number], "s", f"{number}-{text}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [event.id for broker in brokers for event in broker.accepted]
    assert len(ids) == len(set(ids)) == 30
    assert len(stored(stores[0], "s")) == 30
    for store in stores:
        store.close()


KILLED = """
import os, sys, event_brokers
from event_brokers_assistant import SQLTrackerStore
from event_brokers_assistant.events import UserUttered

class Dies:
    def accept(self, events):
        if sys.argv[1] == "after":
            broker.accept(events)
        os.kill(os.getpid(), 9)

broker = event_brokers.connect({"type": "sql", "db": "events.db",
                                "delivery": {"spool": "events.spool"}})
store = SQLTrackerStore(db="tracker.db")
store._stream._broker = Dies()
tracker = store.get_or_create_tracker("s")
tracker.update(UserUttered("said"))
store.save(tracker)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_killed_between_storing_and_streaming_is_made_good(
    moment: str, tmp_path: Path
) -> None:
    """Before the broker accepted the event, and after it, when only the mark was left to do."""
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, moment], cwd=tmp_path, check=False, env=os.environ
    )
    assert ended.returncode == -signal.SIGKILL
    section = {
        "type": "sql", "db": str(tmp_path / "events.db"),
        "delivery": {"spool": str(tmp_path / "events.spool")},
    }  # fmt: skip
    with event_brokers.connect(section) as broker:
        store = SQLTrackerStore(db=str(tmp_path / "tracker.db"), event_broker=broker)
        assert broker.flush(30).pending == 0
        assert store.status().due == 0
        store.close()
    with closing(sqlite3.connect(tmp_path / "events.db")) as database:
        bodies = [json.loads(data) for (data,) in database.execute("SELECT data FROM events")]
    assert [body["text"] for body in bodies] == ["said"]


FORKS = """
import json, os, sys, traceback
from event_brokers_assistant import SQLTrackerStore
from event_brokers_assistant.events import UserUttered

store = SQLTrackerStore(**json.loads(sys.argv[1]))

def say(text):
    tracker = store.get_or_create_tracker("s")
    tracker.update(UserUttered(text))
    store.save(tracker)

def session():
    return store._database.transact(lambda each: each.exec_driver_sql(sys.argv[2]).scalar())

say("before")
before = session()
child = os.fork()
try:
    assert (session() == before) == bool(child or sys.argv[2] == "SELECT 1")
    for number in range(20):
        say("parent" if child else "child")
except BaseException:
    traceback.print_exc()
    os._exit(1)
if not child:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(len(store.retrieve("s").events))
store.close()
"""


@pytest.mark.parametrize("kind", SQL)
def test_parent_and_child_of_a_fork_both_go_on(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Neither uses the other's session: whatever both save is there."""
    options: dict[str, Any] = {"db": str(tmp_path / "forked.db")}
    which = {"postgresql": "SELECT pg_backend_pid()", "mariadb": "SELECT CONNECTION_ID()"}
    session = "SELECT 1"
    if kind != "sqlite_store":
        server = request.getfixturevalue(kind.removesuffix("_store"))
        _on(server, server.name)
        session = which[server.name]
        options = {
            "dialect": server.name, "host": f"{server.host}:{server.port}", "db": server.db,
            "username": server.username, "password": server.password,
        }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKS, json.dumps(options), session],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (ended.stderr, ended.stdout) == ("", "41\n")


@pytest.mark.xdist_group("postgresql")
def test_a_server_that_is_gone_is_an_error_in_a_sentence(
    postgresql: PostgreSQL, postgresql_store: MakeStore
) -> None:
    """And the next save stores what this one could not."""
    broker = Recorder()
    with closing(postgresql_store(broker)) as store:
        tracker = say(store, "s", "one")
        postgresql.kill()
        tracker.update(UserUttered("two"))
        with pytest.raises(TrackerStoreError, match=rf"tracker_store: .*{postgresql.port}"):
            store.save(tracker)
        postgresql.recover()
        store.save(tracker)
        assert [body["text"] for body in broker.bodies()] == ["one", "two"]


@pytest.fixture(
    params=[
        pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")),
        pytest.param("mariadb", marks=pytest.mark.xdist_group("mariadb")),
    ]
)
def server(request: pytest.FixtureRequest) -> PostgreSQL | MariaDB:
    """Return each database server in turn, without the tables of a store."""
    found: PostgreSQL | MariaDB = request.getfixturevalue(request.param)
    _on(found, found.name)
    return found


def test_a_frozen_server_ends_the_save_and_holds_no_conversation(
    server: PostgreSQL | MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The save fails in time; once the server answers, the same conversation goes on, whole."""
    monkeypatch.setattr("event_brokers_sql.drivers._ANSWER_SECONDS", 1)
    broker = Recorder()
    with Proxy(server.port) as proxy:
        store = SQLTrackerStore(
            dialect=server.name, host=server.host, port=proxy.port, db=server.db,
            username=server.username, password=server.password, event_broker=broker,
        )  # fmt: skip
        tracker = say(store, "s", "one")
        tracker.update(UserUttered("two"))
        proxy.silence()
        failed = in_thread(partial(store.save, tracker))
        failed.join(60)
        assert not failed.is_alive()
        assert isinstance(failed.error, TrackerStoreError)
        assert f"127.0.0.1:{proxy.port} did not answer in time" in str(failed.error)
        proxy.speak()
        store.save(tracker)
        assert [body["text"] for body in broker.bodies()] == ["one", "two"]
        store.close()


class InThread(threading.Thread):
    """Calls something, and keeps the error that it raised."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self.error: BaseException | None = None

    def run(self) -> None:
        """Call it."""
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error


def in_thread(call: Callable[[], object]) -> InThread:
    """Return the thread that calls something now."""
    thread = InThread(call)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dialect": "oracel"}, "tracker_store.dialect: SQLAlchemy knows no 'oracel'"),
        ({"db": "/nowhere/tracker.db"}, "tracker_store.db: the folder '/nowhere' does not exist"),
        ({"host": "not a url://"}, "tracker_store.url: not a URL"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], sentence: str) -> None:
    """One sentence, and no password in it."""
    with pytest.raises(ConfigurationError) as refused:
        SQLTrackerStore(**options)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize("missing", ["event_brokers_sql", "sqlalchemy"])
def test_without_the_extra_the_mistake_has_its_sentence(missing: str) -> None:
    """Conversations in memory need no SQLAlchemy; for SQL the sentence is the command to type."""
    program = (
        "import sys\n"
        f"sys.modules[{missing!r}] = None\n"
        "import event_brokers_assistant\n"
        "assert event_brokers_assistant.InMemoryTrackerStore().keys() == []\n"
        "try: event_brokers_assistant.SQLTrackerStore\n"
        "except ImportError as error: print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    assert ended.stdout == (
        'SQLTrackerStore needs event-brokers-sql; pip install "event-brokers-assistant[sql]"\n'
    )


def test_an_unreachable_database_is_named(tmp_path: Path) -> None:
    """Where nobody listens, and where the file is none."""
    port = free_port()
    with pytest.raises(TrackerStoreError, match=f"127.0.0.1:{port}"):
        SQLTrackerStore(dialect="postgresql", host="127.0.0.1", port=port, db="x")
    (tmp_path / "tracker.db").write_text("this is no database at all, whatever it is called")
    with pytest.raises(TrackerStoreError, match=r"tracker\.db"):
        SQLTrackerStore(db=str(tmp_path / "tracker.db"))


def test_the_originals_keywords_are_accepted() -> None:
    """`db=` without effect, and a domain for the slots."""
    domain = {"slots": {"language": {"type": "text", "initial_value": "de"}, "name": None}}
    store = InMemoryTrackerStore(domain, event_broker=None, db=object())
    assert store.get_or_create_tracker("s").slots == {"language": "de", "name": None}
