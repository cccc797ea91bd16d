"""The SQL plugin against real databases, read back with their own drivers."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import event_brokers
from command import Commands
from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Event,
    RejectedEvents,
    endpoints,
)
from event_brokers.secret import mask
from event_brokers.testing.proxy import Proxy
from event_brokers_sql import SQLOptions, SQLProducer, drivers
from event_brokers_sql.connection import Connection
from event_brokers_sql.hooks import check, connect
from servers import MariaDB, PostgreSQL
from waiting import wait_until

# as SQLAlchemy makes the table of Rasa 3.6's SQLEventBroker
RASA_TABLE = {
    "sqlite": "CREATE TABLE {t} (id INTEGER NOT NULL, sender_id VARCHAR(255), data TEXT, "
    "PRIMARY KEY (id))",
    "postgresql": "CREATE TABLE {t} (id SERIAL NOT NULL, sender_id VARCHAR(255), data TEXT, "
    "PRIMARY KEY (id))",
    "mariadb": "CREATE TABLE {t} (id INTEGER NOT NULL AUTO_INCREMENT, sender_id VARCHAR(255), "
    "data TEXT, PRIMARY KEY (id))",
}
MYSQL_TOO_LARGE = 17 * 1024**2  # bytes; max_allowed_packet is 16 MiB by default
Execute = Callable[[str], Any]


@dataclass(frozen=True)
class Database:
    """One database behind one face.

    Attributes:
        dialect: sqlite, postgresql or mariadb.
        section: what stands under `event_broker`.
        table: the table of this test alone.
        connect: opens a plain connection of the driver, in a transaction from the first statement.
    """

    dialect: str
    section: dict[str, Any]
    table: str
    connect: Callable[[], Any]

    def options(self, **changes: Any) -> SQLOptions:
        """Return the options as the core makes them."""
        options = endpoints.read({**self.section, **changes}).options
        assert isinstance(options, SQLOptions)
        return options

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """Hand out a function that runs statements; committed at the end."""
        with closing(self.connect()) as connection:
            cursor = connection.cursor()

            def execute(statement: str) -> Any:
                cursor.execute(statement.format(t=self.table))
                return list(cursor.fetchall()) if cursor.description else []

            yield execute
            connection.commit()

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement, with {t} for the table, in a transaction of its own."""
        with self.transaction() as execute:
            rows: list[tuple[Any, ...]] = execute(statement)
            return rows

    def stored(self) -> list[tuple[Any, ...]]:
        """Return event_id and body of what is stored, in order."""
        rows = self.run("SELECT event_id, data FROM {t} ORDER BY id")
        return [(event_id, json.loads(data)) for event_id, data in rows]

    def numbers(self) -> list[int]:
        """Return the numbers of what is stored, in order."""
        return [body["number"] for _, body in self.stored()]


SERVERS = [
    pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")),
    pytest.param("mariadb", marks=pytest.mark.xdist_group("mariadb")),
]
# SQLite has neither users nor sessions
of_servers = pytest.mark.parametrize("database", SERVERS, indirect=True)


@pytest.fixture(params=["sqlite", *SERVERS])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Return each database in turn, with the name of a table that does not exist yet."""
    dialect, table = request.param, f"events_{uuid4().hex[:12]}"
    if dialect == "sqlite":
        file = tmp_path / "events.db"
        section = {"type": "sql", "db": str(file), "table": table}
        yield Database(dialect, section, table, lambda: sqlite3.connect(file, timeout=5))
        return
    server = request.getfixturevalue(dialect)
    section = {
        "type": "sql", "dialect": dialect, "host": server.host, "port": server.port,
        "username": server.username, "password": server.password, "db": server.db, "table": table,
    }  # fmt: skip

    def plain() -> Any:
        connection = server.connection()
        if dialect == "mariadb":
            connection.autocommit(False)
        else:
            connection.autocommit = False
        return connection

    made = Database(dialect, section, table, plain)
    yield made
    made.run("DROP TABLE IF EXISTS {t}")


def an_event(number: int = 0, **more: Any) -> Event:
    """Return an event whose body says its number."""
    return Event.from_dict({"sender_id": "s", "event": "user", "number": number, **more})


@contextmanager
def connected(options: SQLOptions) -> Iterator[Connection]:
    """Hand out a connection as the core gets it, and close it."""
    with closing(connect(options, set())) as opened:
        yield opened


def refusal(options: SQLOptions) -> str:
    """Return the sentence with which a connection is refused."""
    with pytest.raises(ConfigurationError) as caught:
        connect(options, set())
    return str(caught.value)


def test_the_table_has_the_columns_of_rasa_and_our_own(database: Database) -> None:
    """Whoever reads Rasa's table with SELECT id, sender_id, data goes on reading it."""
    whole = Event.from_dict({"sender_id": "s", "event": "user", "timestamp": 1.5}, "one")
    with connected(database.options()) as opened:
        opened.publish([whole, Event.from_dict({}, "two")])
    columns = "sender_id, data, event_id, type_name, timestamp, headers"
    assert database.run(f"SELECT {columns} FROM {{t}} ORDER BY id") == [
        ("s", whole.body.decode(), "one", "user", 1.5, None),
        (None, "{}", "two", None, None, None),
    ]
    first, second = (row[0] for row in database.run("SELECT id FROM {t} ORDER BY id"))
    assert first < second


def test_a_table_that_rasa_made_gets_what_it_lacks_and_loses_no_row(database: Database) -> None:
    """The old rows stay as they are, and the new ones follow; check changes nothing."""
    database.run(RASA_TABLE[database.dialect])
    database.run("INSERT INTO {t} (sender_id, data) VALUES ('old', '{{\"number\": 0}}')")
    assert check(database.options())[-2] == (
        f"table '{database.table}' found; the columns it lacks are added at the first connect"
    )
    sent = an_event(1)
    for _ in range(2):
        with connected(database.options()) as opened:
            opened.publish([sent])
    assert database.stored() == [(None, {"number": 0}), (sent.id, json.loads(sent.body))]
    assert check(database.options())[-2] == f"table '{database.table}' found"


def test_an_old_table_that_knows_few_characters_takes_every_event(
    database: Database,
) -> None:
    """MariaDB made tables in latin1 for years; the same JSON is written with escapes there."""
    if database.dialect == "mariadb":
        database.run(RASA_TABLE["mariadb"] + " CHARACTER SET latin1")
    text = "Grüße 🙂 \\ \" ' \u2028"
    headers = {"trace": "Grüße 🙂 \\ \" '"}
    with connected(database.options()) as opened:
        opened.publish([Event.from_dict({"text": text}, headers=headers)])
    assert [body["text"] for _, body in database.stored()] == [text]
    assert [json.loads(row[0]) for row in database.run("SELECT headers FROM {t}")] == [headers]


def test_headers_stand_in_a_column_of_their_own(database: Database) -> None:
    """As JSON of what was given and of nothing else; NULL where nothing was."""
    with connected(database.options()) as opened:
        opened.publish([Event.from_dict({"event": "user"}, "one", {"trace": "a-1", "tenant": "b"})])
        opened.publish([Event.from_dict({"event": "user"}, "two")])
    rows = database.run("SELECT event_id, headers FROM {t} ORDER BY id")
    assert [(event_id, headers and json.loads(headers)) for event_id, headers in rows] == [
        ("one", {"trace": "a-1", "tenant": "b"}),
        ("two", None),
    ]


def forget_headers(database: Database) -> None:
    """Give the table the shape that it had before there were headers."""
    with connected(database.options()) as opened:
        opened.publish([an_event(0)])
    database.run("ALTER TABLE {t} DROP COLUMN headers")


def test_a_table_without_headers_gets_the_column(database: Database) -> None:
    """At the first connect, and no row is lost."""
    forget_headers(database)
    assert check(database.options())[-2].endswith("it lacks are added at the first connect")
    with connected(database.options()) as opened:
        opened.publish([Event.from_dict({"number": 1}, headers={"trace": "a-1"})])
    assert database.numbers() == [0, 1]
    rows = database.run("SELECT headers FROM {t} ORDER BY id")
    assert rows == [(None,), ('{"trace":"a-1"}',)]


@of_servers
def test_where_the_column_may_not_be_added_events_are_stored_without_headers(
    database: Database, reader: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """With one warning, however often it connects, that says which statement to run."""
    database.run("DROP TABLE {t}")
    forget_headers(database)
    for statement in reader["grants"]:
        database.run(statement)
    options = database.options(**login(reader))
    for number in (1, 2):
        with connected(options) as opened:
            opened.publish([Event.from_dict({"number": number}, headers={"trace": "a-1"})])
    assert database.numbers() == [0, 1, 2]
    (warning,) = caplog.messages
    said, _, statement = warning.partition("; run as its owner: ")
    assert said == (
        f"sql: table '{database.table}' has no column 'headers' and the user may not add it: "
        "headers are not stored"
    )
    database.run(statement)
    with connected(options) as opened:
        opened.publish([Event.from_dict({"number": 3}, headers={"trace": "a-3"})])
    rows = database.run("SELECT headers FROM {t} ORDER BY id")
    assert rows == [(None,), (None,), (None,), ('{"trace":"a-3"}',)]


@pytest.fixture
def reader(database: Database) -> Iterator[dict[str, Any]]:
    """Return the login of a user who may read and write rows, and nothing else."""
    user = f"bob_{uuid4().hex[:8]}"
    if database.dialect == "mariadb":
        made = f"CREATE USER {user} IDENTIFIED BY 'bob-canary'"
        granted = [f"GRANT SELECT, INSERT, UPDATE ON {{t}} TO {user}"]
        left = f"DROP USER {user}"
    else:
        made = f"CREATE ROLE {user} LOGIN PASSWORD 'bob-canary'"
        granted = [
            f"GRANT SELECT, INSERT ON {{t}} TO {user}",
            f"GRANT USAGE ON SEQUENCE {{t}}_id_seq TO {user}",
        ]
        left = f"DROP OWNED BY {user}; DROP ROLE {user}"
    database.run(made)
    database.run(RASA_TABLE[database.dialect])
    for statement in granted:
        database.run(statement)
    yield {"username": user, "password": "bob-canary", "grants": granted}
    database.run(left)


def login(reader: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a user."""
    return {name: reader[name] for name in ("username", "password")}


@of_servers
def test_a_user_who_may_not_alter_is_told_what_to_run(
    database: Database, reader: dict[str, Any]
) -> None:
    """And once the owner has run just that, it works."""
    sentence = refusal(database.options(**login(reader)))
    begin = (
        f"event_broker.table: '{database.table}' lacks columns and the user may not add "
        "them; run as its owner: "
    )
    assert sentence.startswith(begin)
    for statement in sentence.removeprefix(begin).split("; "):
        database.run(statement)
    with connected(database.options(**login(reader))) as opened:
        opened.publish([an_event(1)])
    assert database.numbers() == [1]


@of_servers
def test_a_user_who_may_not_create_is_told_what_to_run(
    database: Database, reader: dict[str, Any]
) -> None:
    """A missing table is said to be missing, with the statement that makes it."""
    if database.dialect == "postgresql":
        database.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    database.run("DROP TABLE {t}")
    if database.dialect == "mariadb":
        other = f"GRANT SELECT, INSERT ON {{t}}_other TO {reader['username']}"
        database.run("CREATE TABLE {t}_other (id INTEGER)")
        database.run(other)
    sentence = refusal(database.options(**login(reader)))
    if database.dialect == "mariadb":
        database.run("DROP TABLE {t}_other")
    assert f"'{database.table}' is missing and the user may not make it" in sentence
    database.run(sentence.partition("run as an owner: ")[2])
    assert database.run("SELECT COUNT(*) FROM {t}") == [(0,)]


def test_an_event_sent_twice_is_stored_once(database: Database) -> None:
    """In one batch after another, and where only a part of the batch is known."""
    events = [an_event(number) for number in range(4)]
    with connected(database.options()) as opened:
        opened.publish(events[:2])
        opened.publish(events[:2])
        opened.publish(events[1:])
    assert database.stored() == [(sent.id, json.loads(sent.body)) for sent in events]


def test_ids_that_differ_in_case_alone_are_two_events(database: Database) -> None:
    """Also in MySQL, which compares text without regard to case unless told otherwise."""
    ids = ["a", "A", "ä", "Ä", "ß", "ss"]
    with connected(database.options()) as opened:
        opened.publish([Event.from_dict({}, event_id) for event_id in ids])
    assert [event_id for event_id, _ in database.stored()] == ids


def test_a_batch_is_one_transaction(database: Database) -> None:
    """A value that is refused leaves nothing of its batch; its body is in no sentence."""
    events = [an_event(1), an_event(2, text="canary"), an_event(3)]
    with connected(database.options()) as opened:
        refuse_canaries(database)
        with pytest.raises(RejectedEvents) as caught:
            opened.publish(events)
        assert database.stored() == []
        opened.publish([events[0], events[2]])
    assert database.numbers() == [1, 3]
    assert "canary" not in str(caught.value)


def refuse_canaries(database: Database) -> None:
    """Let the database refuse every body that holds a canary."""
    if database.dialect != "sqlite":
        check_body = "CHECK (data NOT LIKE '%canary%')"
        database.run(f"ALTER TABLE {{t}} ADD CONSTRAINT c_{{t}} {check_body}")
        return
    database.run(
        "CREATE TRIGGER refuse BEFORE INSERT ON {t} WHEN NEW.data LIKE '%canary%' "
        "BEGIN SELECT RAISE(ABORT, 'refused'); END"
    )


@pytest.mark.xdist_group("mariadb")
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_headers_count_in_what_a_statement_may_take(database: Database) -> None:
    """An event that fits only without them is refused, alone."""
    with connected(database.options()) as opened:
        opened._largest = 100_000  # the server's own cannot be as small as this shows best
        events = [Event.from_dict({"number": number}) for number in range(3)]
        heavy = Event.from_dict({"number": 1}, headers={"x": "\u00fc" * 16_000})
        with pytest.raises(RejectedEvents) as caught:
            opened.publish([events[0], heavy, events[2]])
    assert list(caught.value.reasons) == [heavy.id]


def test_the_core_buries_only_what_the_database_refuses(database: Database) -> None:
    """All the others arrive, in order, though nobody says which one it is."""
    with connected(database.options()):
        refuse_canaries(database)
    numbers = range(500)
    with event_brokers.connect(database.section) as broker:
        broker.publish_many(
            [{"number": n, **({"text": "canary"} if n in {7, 300} else {})} for n in numbers]
        )
        status = broker.flush(60)
        letters = broker.dead_letters()
    assert (status.delivered, status.dead_letters) == (498, 2)
    assert [json.loads(letter.event.body)["number"] for letter in letters] == [7, 300]
    assert all("refuses a value" in letter.reason for letter in letters)
    assert database.numbers() == [number for number in numbers if number not in {7, 300}]


def test_an_event_larger_than_mysql_takes_is_buried_alone(database: Database) -> None:
    """MySQL ends the connection without a word, which would be tried again for ever."""
    with event_brokers.connect(database.section) as broker:
        broker.publish({"number": 1})
        broker.publish({"number": 2, "text": "x" * MYSQL_TOO_LARGE})
        broker.publish({"number": 3, "text": '"' * (3 * 1024**2)})
        status = broker.flush(60)
        letters = broker.dead_letters()
    too_large = database.dialect == "mariadb"
    assert (status.pending, status.dead_letters) == (0, int(too_large))
    assert database.numbers() == ([1, 3] if too_large else [1, 2, 3])
    assert all("max_allowed_packet" in letter.reason for letter in letters)


LOCK = {
    "sqlite": "BEGIN EXCLUSIVE",
    "postgresql": "LOCK TABLE {t} IN EXCLUSIVE MODE",
    "mariadb": "LOCK TABLES {t} WRITE",
}


def test_a_lock_is_waited_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no mistake of anybody: tried again until the lock is gone."""
    monkeypatch.setattr(drivers, "_CONNECT_SECONDS", 1)
    monkeypatch.setattr(drivers, "_ANSWER_SECONDS", 1)
    with connected(database.options()) as opened:
        with database.transaction() as execute:
            execute(LOCK[database.dialect])
            with pytest.raises(BrokerUnavailable) as caught:
                opened.publish([an_event(1)])
        opened.publish([an_event(2)])
    assert database.numbers() == [2]
    assert "locked" in str(caught.value) or "did not answer in time" in str(caught.value)


@of_servers
def test_a_deadlock_is_tried_again(database: Database) -> None:
    """Whoever loses it: the batch is stored when it comes again."""
    first, second = an_event(1), an_event(2)
    insert = "INSERT INTO {{t}} (event_id) VALUES ('{}')"
    with connected(database.options()) as opened:
        with database.transaction() as execute:
            for _ in range(200):  # the smaller transaction loses, where size decides
                execute(insert.format(uuid4()))
            execute(insert.format(second.id))
            failures: list[BaseException] = []

            def publish() -> None:
                try:
                    opened.publish([first, second])
                except BrokerUnavailable as error:
                    failures.append(error)

            publishing = threading.Thread(target=publish)
            publishing.start()
            wait_until(lambda: waits_for_a_lock(database))
            execute(insert.format(first.id))
            publishing.join(60)
        assert len(failures) == 1
        opened.publish([first, second])
    assert database.run("SELECT COUNT(*) FROM {t}") == [(202,)]


def waits_for_a_lock(database: Database) -> bool:
    """Return whether a session of the server waits for another one."""
    if database.dialect == "postgresql":
        return bool(database.run("SELECT 1 FROM pg_locks WHERE NOT granted"))
    return bool(
        database.run("SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
    )


@of_servers
def test_a_session_that_was_ended_is_replaced(database: Database) -> None:
    """Looked at before each batch, so that an idle connection that broke costs nothing."""
    ended = {
        "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        "mariadb": "SELECT id FROM information_schema.processlist "
        "WHERE user = 'rasa' AND id <> CONNECTION_ID()",
    }
    with connected(database.options()) as opened:
        opened.publish([an_event(1)])
        for (session,) in database.run(ended[database.dialect]):
            if database.dialect == "mariadb":
                database.run(f"KILL {session}")
        opened.publish([an_event(2)])
    assert database.numbers() == [1, 2]


@pytest.mark.xdist_group("postgresql")
@pytest.mark.parametrize("cut", range(6))
def test_a_network_that_falls_silent_amid_a_batch_leaves_no_lock(
    postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    """Whatever part of a message has arrived: the next session ends the one that waits for more."""
    monkeypatch.setattr(drivers, "_ANSWER_SECONDS", 1)
    server, table = postgresql, f"events_{uuid4().hex[:12]}"
    events = [an_event(number, text="x" * 1000) for number in range(1000)]
    with Proxy(server.port) as proxy:
        section = {
            "type": "sql", "dialect": "postgresql", "host": server.host, "port": proxy.port,
            "username": server.username, "password": server.password, "db": server.db,
            "table": table,
        }  # fmt: skip
        with connected(endpoints.read(section).options) as opened:
            proxy.silence_after(50_000 + 777 * cut)
            with pytest.raises(BrokerUnavailable, match="did not answer in time"):
                opened.publish(events)
        proxy.speak()
        with connected(endpoints.read(section).options) as opened:
            opened.publish(events)
    assert server.query(f"SELECT COUNT(*) FROM {table}") == [(1000,)]


@pytest.mark.xdist_group("postgresql")
def test_what_was_given_up_on_one_server_is_ended_on_that_server(
    postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever connects to another server in between takes nothing away from it."""
    monkeypatch.setattr(drivers, "_ANSWER_SECONDS", 1)
    events = [an_event(number, text="x" * 1000) for number in range(1000)]
    with Proxy(postgresql.port) as proxy, PostgreSQL() as other:
        section = section_of(postgresql) | {"port": proxy.port}
        with connected(endpoints.read(section).options) as opened:
            proxy.silence_after(50_000)
            with pytest.raises(BrokerUnavailable, match="did not answer in time"):
                opened.publish(events)
        proxy.speak()
        with connected(endpoints.read(section_of(other)).options) as opened:
            opened.publish(events)
        with connected(endpoints.read(section).options) as opened:
            opened.publish(events)
    assert postgresql.query(f"SELECT COUNT(*) FROM {section['table']}") == [(1000,)]


def section_of(server: PostgreSQL | MariaDB) -> dict[str, Any]:
    """Return a section with a table that does not exist yet."""
    return {
        "type": "sql", "dialect": server.name, "host": server.host, "port": server.port,
        "username": server.username, "password": server.password, "db": server.db,
        "table": f"events_{uuid4().hex[:12]}",
    }  # fmt: skip


def test_a_table_that_was_used_and_is_gone_is_not_made_anew(database: Database) -> None:
    """Loudly: events are kept, and delivery goes on once the table is back."""
    with event_brokers.connect(database.section) as broker:
        broker.publish({"number": 1})
        broker.flush(30)
        database.run("DROP TABLE {t}")
        broker.publish({"number": 2})
        wait_until(lambda: broker.status().state == "halted")
        sentence = str(broker.status().last_error)
        assert f"event_broker.table: '{database.table}' was used before and is gone" in sentence
        database.run(sentence.partition("or make an empty one: ")[2])
        assert broker.flush(60).pending == 0
    assert database.numbers() == [2]


def test_a_file_that_was_used_and_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    """It may be on a disk that is not there at the moment."""
    file, used = tmp_path / "events.db", set[str]()
    options = endpoints.read({"type": "sql", "db": str(file)}).options
    for attempt in range(2):
        with closing(connect(options, used)) as opened:
            opened.publish([an_event(attempt)])
    file.unlink()
    with pytest.raises(ConfigurationError, match=r"the file '.*events\.db' was used before"):
        connect(options, used)
    assert not file.exists()
    elsewhere = endpoints.read({"type": "sql", "db": str(tmp_path / "other.db")}).options
    connect(elsewhere, used).close()


def test_memory_is_no_place_that_could_be_lost() -> None:
    """Every connection to SQLite's memory begins with nothing."""
    options, used = endpoints.read({"type": "sql", "db": ":memory:"}).options, set[str]()
    for _ in range(2):
        connect(options, used).close()


def test_the_options_that_say_where_events_go_are_named() -> None:
    """A spool remembers them; none of them is a secret, nor how to get there."""
    assert SQLOptions.place == ("dialect", "url", "host", "port", "db", "table")
    assert {"username", "password", "query"}.isdisjoint(SQLOptions.place)


def test_several_that_start_at_once_make_one_table(database: Database) -> None:
    """Whoever is second finds it made, and nobody fails."""
    barrier = threading.Barrier(6)
    failures: list[BaseException] = []

    def start(number: int) -> None:
        barrier.wait()
        try:
            with connected(database.options()) as opened:
                opened.publish([an_event(number)])
        except BrokerUnavailable:
            pass  # the core tries again; anything else would not pass
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert database.numbers()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


def test_every_event_is_stored_as_it_is(database: Database) -> None:
    """Whatever JSON can say, the column `data` says byte by byte."""
    with connected(database.options()) as opened:

        @settings(max_examples=60, suppress_health_check=list(HealthCheck))
        @given(st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=5))
        def stored(bodies: list[dict[str, Any]]) -> None:
            events = [Event.from_dict({**body, "sender_id": "s"}) for body in bodies]
            opened.publish(events)
            rows = database.run("SELECT event_id, data FROM {t} ORDER BY id")
            found = [] if not events else rows[-len(events) :]
            assert found == [(sent.id, sent.body.decode()) for sent in events]

        stored()


def test_a_sender_that_the_database_cannot_say_is_refused_alone(database: Database) -> None:
    """PostgreSQL has no NUL in text; the other two store it."""
    with event_brokers.connect(database.section) as broker:
        broker.publish_many([{"number": 1}, {"sender_id": "a\0b", "number": 2}, {"number": 3}])
        status = broker.flush(60)
    refused = database.dialect == "postgresql"
    assert (status.pending, status.dead_letters) == (0, int(refused))
    assert database.numbers() == ([1, 3] if refused else [1, 2, 3])


def test_a_timestamp_beyond_the_columns_range_is_left_out() -> None:
    """The body says it; a column cannot."""
    assert Event.from_dict({"timestamp": 10**400}).timestamp is None
    assert Event.from_dict({"timestamp": True}).timestamp is None


def test_check_says_what_it_found_and_makes_nothing(database: Database) -> None:
    """Server, version, user and database, and whether the table is there."""
    options = database.options()
    found = list(check(options))
    named = "" if database.table == "events" else " (Rasa's is 'events')"
    where_to = (
        f"events go to table '{database.table}'{named}, into Rasa's columns id, sender_id, data "
        "and beside them event_id, type_name, timestamp, headers"
    )
    assert found.pop() == where_to
    if database.dialect == "sqlite":
        assert found == [f"the file '{options.db}' is missing; it is made at the first connect"]
        assert not Path(options.db).exists()
    else:
        names = {"postgresql": "PostgreSQL", "mariadb": "MariaDB"}
        assert found[0].startswith(f"connected to {names[database.dialect]} ")
        where = f"at {options.host}:{options.port} as '{options.username}'"
        assert found[0].endswith(f"{where}, database '{options.db}'")
        missing = f"table '{database.table}' is missing; it is made at the first connect"
        assert found[1:] == [missing]
        assert check(options) == [*found, where_to]
    with connected(options):
        pass
    assert check(options)[1:] == [f"table '{database.table}' found", where_to]


WRONG = {
    "password": (
        {"password": "wrong-canary"},
        "event_broker.password: ",
        "refuses the user 'rasa'",
    ),
    "user": ({"username": "nobody"}, "event_broker.password: ", "refuses the user 'nobody'"),
    "database": ({"db": "nowhere"}, "event_broker.db: ", "no database 'nowhere'; create it"),
}


@of_servers
@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_person_must_change_is_said(database: Database, wrong: str) -> None:
    """Which option, and never its secret."""
    changes, option, part = WRONG[wrong]
    sentence = refusal(database.options(**changes))
    assert sentence.startswith(option)
    assert part in sentence
    assert "canary" not in sentence
    with pytest.raises(ConfigurationError) as caught:
        check(database.options(**changes))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("content", "changes", "sentence"),
    [
        (b"no database at all, but text" * 40, {}, "is not an SQLite database; name another"),
        (None, {"db": "{folder}/none/events.db"}, "does not exist; make it first"),
        (None, {"db": "{folder}"}, "cannot be opened; check its folder and permissions"),
        (b"", {"url": "sqlite:///file:{folder}/events.db?mode=ro&uri=true"}, "is read-only"),
    ],
    ids=["other-file", "no-folder", "a-folder", "read-only"],
)
def test_a_file_that_cannot_be_used_is_said(
    tmp_path: Path, content: bytes | None, changes: dict[str, str], sentence: str
) -> None:
    """Which file, and what to do."""
    if content is not None:
        (tmp_path / "events.db").write_bytes(content)
    filled = {name: value.format(folder=tmp_path) for name, value in changes.items()}
    section = {"type": "sql", "db": str(tmp_path / "events.db"), **filled}
    if "url" in filled:
        del section["db"]
    found = refusal(endpoints.read(section).options)
    assert found.startswith("event_broker.db: ")
    assert sentence in found


@pytest.mark.xdist_group("postgresql")
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_read_only_server_halts_and_goes_on_by_itself(database: Database) -> None:
    """A replica, or a server in maintenance: nothing is lost meanwhile."""

    def set_read_only(value: str) -> None:
        with closing(database.connect()) as connection:
            connection.execute("SET TRANSACTION READ WRITE")
            connection.execute(f"ALTER ROLE rasa SET default_transaction_read_only = {value}")
            connection.commit()

    with connected(database.options()):
        pass  # makes the table
    set_read_only("on")
    try:
        with event_brokers.connect(database.section) as broker:
            broker.publish({"number": 1})
            wait_until(lambda: broker.status().state == "halted")
            assert "is read-only; name a writable server" in str(broker.status().last_error)
            set_read_only("off")
            assert broker.flush(60).delivered == 1
    finally:
        set_read_only("off")
    assert database.numbers() == [1]


@pytest.mark.parametrize(
    ("spelt", "dialect"),
    [
        ("postgres", "postgresql"), ("PostgreSQL", "postgresql"),
        ("postgresql+psycopg", "postgresql"), ("mysql", "mariadb"), ("MariaDB", "mariadb"),
        ("mysql+pymysql", "mariadb"), ("sqlite", "sqlite"), ("SQLite", "sqlite"),
    ],
)  # fmt: skip
def test_a_dialect_has_several_names(
    request: pytest.FixtureRequest, tmp_path: Path, spelt: str, dialect: str
) -> None:
    """Those that users of Rasa and of SQLAlchemy write."""
    section: dict[str, Any] = {"type": "SQL", "dialect": spelt, "db": str(tmp_path / "events.db")}
    if dialect != "sqlite":
        server = request.getfixturevalue(dialect)
        section |= {
            "url": server.host, "port": server.port, "username": server.username,
            "password": server.password, "db": server.db,
        }  # fmt: skip
    found = check(endpoints.read(section).options)
    assert "missing" in found[-2] or "found" in found[-2]


@of_servers
def test_a_full_url_stands_for_all_the_others(database: Database) -> None:
    """With password, port and the driver's options, as SQLAlchemy reads it."""
    given_options = database.options()
    assert given_options.password is not None
    login = f"{given_options.username}:{given_options.password.reveal()}"
    where = f"{given_options.host}:{given_options.port}/{given_options.db}"
    url = f"{database.dialect}://{login}@{where}"
    section = {"type": "sql", "url": url, "table": database.table}
    with event_brokers.connect(section) as broker:
        broker.publish({"number": 1})
        broker.flush(30)
    assert database.numbers() == [1]


@pytest.mark.xdist_group("postgresql")
def test_the_drivers_own_options_reach_it(postgresql: PostgreSQL) -> None:
    """Beside the deadlines that this plugin sets, which they may replace."""
    section = {
        "type": "sql", "dialect": "postgresql", "url": postgresql.host, "port": postgresql.port,
        "db": postgresql.db, "username": postgresql.username, "password": postgresql.password,
        "query": {"application_name": "our-bot"}, "table": f"events_{uuid4().hex[:12]}",
    }  # fmt: skip
    with connected(endpoints.read(section).options) as opened:
        opened.publish([an_event(1)])
        names = postgresql.query("SELECT application_name FROM pg_stat_activity")
    assert ("our-bot",) in names


@pytest.mark.xdist_group("postgresql")
def test_the_drivers_own_options_come_before_the_plugins(postgresql: PostgreSQL) -> None:
    """A search_path keeps its effect beside the plugin's deadlines, and one may be another."""
    schema = f"s_{uuid4().hex[:12]}"
    postgresql.query(f"CREATE SCHEMA {schema}")
    query = {"options": f"-c search_path={schema} -c lock_timeout=3s", "connect_timeout": "3"}
    section = section_of(postgresql) | {"query": query, "table": "events"}
    with connected(endpoints.read(section).options) as opened:
        opened.publish([an_event(1)])
        with opened._database.session() as session:
            shown = [
                session.exec_driver_sql(f"SHOW {name}").scalar()
                for name in ("lock_timeout", "statement_timeout")
            ]
            driver = session.connection.driver_connection
            assert driver is not None
            assert driver.info.get_parameters()["connect_timeout"] == "3"
    assert shown == ["3s", "20s"]
    assert postgresql.query(f"SELECT COUNT(*) FROM {schema}.events") == [(1,)]


@pytest.mark.xdist_group("mariadb")
def test_the_first_statement_of_a_user_is_executed_too(mariadb: MariaDB) -> None:
    """Beside the plugin's own, whichever of both it is that waits for locks."""
    section = section_of(mariadb) | {"query": {"init_command": "SET SESSION max_error_count=7"}}
    with (
        connected(endpoints.read(section).options) as opened,
        opened._database.session() as session,
    ):
        found = session.exec_driver_sql("SELECT @@max_error_count, @@innodb_lock_wait_timeout")
        assert found.one() == (7, 20)


@pytest.mark.parametrize(
    ("dialect", "sentence"),
    [
        ("oracel", "SQLAlchemy knows no 'oracel'; give sqlite, postgresql, mysql or mariadb"),
        ("postgresql+asyncpg", "'postgresql+asyncpg' is an asyncio driver; give 'postgresql'"),
    ],
)
def test_a_dialect_that_cannot_serve_is_refused(dialect: str, sentence: str) -> None:
    """With those that can."""
    options = endpoints.read({"type": "sql", "dialect": dialect, "db": "x"}).options
    assert sentence in refusal(options)


def test_a_driver_of_another_dialect_that_is_missing_is_named() -> None:
    """Nobody but its user knows where it comes from."""
    options = endpoints.read({"type": "sql", "dialect": "mssql+pymssql", "db": "x"}).options
    assert refusal(options) == ("event_broker.dialect: 'mssql+pymssql' needs pymssql; install it")


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
def test_a_driver_that_is_missing_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, dialect: str
) -> None:
    """The sentence is the command to type."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    options = endpoints.read({"type": "sql", "dialect": dialect, "db": "x"}).options
    assert refusal(options).endswith(f'pip install "event-brokers-sql[{dialect}]"')


@pytest.mark.parametrize("url", ["postgresql://u:canary@h:x/db", "://canary", "a b://canary"])
def test_a_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    """It may hold a password."""
    sentence = refusal(endpoints.read({"type": "sql", "url": url}).options)
    assert sentence.startswith("event_broker.url: not a URL that SQLAlchemy can read")
    assert "canary" not in sentence


def test_two_hosts_are_refused() -> None:
    """Nobody knows which one is meant."""
    with pytest.raises(ConfigurationError, match="'url' names the host already"):
        endpoints.read({"type": "sql", "dialect": "mysql", "url": "a", "host": "b"})


@pytest.mark.parametrize("option", ["host", "url"])
@pytest.mark.parametrize("port", ["0", "70000"])
def test_a_port_that_is_none_is_refused(option: str, port: str) -> None:
    """Behind the host as well as in `port`; an IPv6 address alone has none."""
    section = {"type": "sql", "dialect": "mysql", option: f"db.example:{port}"}
    with pytest.raises(ConfigurationError, match=f"{option}: the port is not a whole number from"):
        endpoints.read(section)
    assert endpoints.read({**section, option: "::1"}).options


SECRETS: dict[str, dict[str, Any]] = {
    "the password": {"password": "canary-1"},
    "the key's password": {"ssl_certfile": "c", "ssl_password": "canary-1"},
    "password of the query": {"query": {"password": "canary-1", "sslmode": "require"}},
    "passwd of the query": {"query": {"passwd": "canary-1", "charset": "utf8mb4"}},
    "sslpassword of the query": {"query": {"sslpassword": "canary-1"}},
    "key password of the query": {"query": {"ssl_key_password": "canary-1"}},
    "scram key of the query": {"query": {"scram_client_key": "canary-1"}},
    "odbc's string": {"query": {"odbc_connect": "DRIVER=x;PWD=canary-1"}},
    "the url": {"url": "mysql://u:canary-1@h/db"},
    "the url's query": {"url": "postgresql://h/db?user=u&password=canary-1&sslmode=require"},
    "both of the url": {"url": "postgresql://u:canary-1@h/db?sslpassword=canary-1"},
}


@pytest.mark.parametrize("where", SECRETS)
def test_no_secret_is_shown_wherever_it_stands(where: str) -> None:
    """Neither by the options nor by the settings; every sentence about them is masked."""
    made = endpoints.read({"type": "sql", "dialect": "mysql", **SECRETS[where]})
    assert "canary" not in repr(made) + str(made.options) + repr(made.options)
    assert "***" in repr(made.options)
    written = "DRIVER=x;PWD=canary-1" if where == "odbc's string" else "canary-1"
    assert mask(f"the driver says: {written} is wrong", made.secrets()) == (
        "the driver says: *** is wrong"
    )
    for harmless in ("require", "utf8mb4", "'u'"):
        assert mask(harmless, made.secrets()) == harmless


@pytest.mark.parametrize("query", ["password=canary", {"connect_timeout": 5, "password": "canary"}])
def test_a_query_that_is_none_is_not_shown(query: Any) -> None:
    """It may hold a password."""
    with pytest.raises(ConfigurationError) as caught:
        endpoints.read({"type": "sql", "query": query})
    assert str(caught.value) == (
        "event_broker.query: the value is not a mapping of text to text; put numbers in quotes"
    )


@pytest.mark.xdist_group("postgresql")
def test_a_secret_of_the_query_is_masked_in_every_sentence(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    """The commands mask it as they do the password, whoever says it."""
    commands = Commands(tmp_path)
    commands.broker(
        section_of(postgresql) | {"query": {"sslpassword": "canary-1"}, "db": "canary-1"}
    )
    for form in ([], ["--json"], ["--debug"]):
        done = commands.run("check", *form)
        assert done.code
        assert "has no database '***'" in done.out + done.err
        assert "canary" not in done.out + done.err


def test_the_class_of_the_original_documentation_delivers(tmp_path: Path) -> None:
    """`SQLProducer(dialect=..., db=...)` is an EventBroker with those options."""
    file = tmp_path / "events.db"
    with SQLProducer(dialect="sqlite", db=str(file), table="mine") as broker:
        broker.publish({"event": "user"})
        broker.flush(30)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT data FROM mine").fetchall() == [('{"event":"user"}',)]


@of_servers
def test_closing_releases_sockets_and_sessions(database: Database) -> None:
    """The server does not keep sessions of bots that have gone."""
    process = psutil.Process()
    with connected(database.options()) as opened:
        opened.publish([an_event(1)])
        port = database.section["port"]
        assert [each for each in process.net_connections() if each.raddr and each.raddr[1] == port]
    assert not [each for each in process.net_connections() if each.raddr and each.raddr[1] == port]


PROGRAM = """
import sys
import event_brokers
broker = event_brokers.connect(sys.argv[1])
for number in range(100):
    broker.publish({"sender_id": "s", "number": number})
"""


def test_a_program_that_ends_without_close_delivers(database: Database, tmp_path: Path) -> None:
    """The end of the program drains."""
    file = tmp_path / "endpoints.yml"
    file.write_text(json.dumps({"event_broker": database.section}), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(file)],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (b"", b"")
    assert database.numbers() == list(range(100))
