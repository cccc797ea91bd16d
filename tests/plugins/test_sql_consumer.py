"""Consuming from SQL: no event is skipped, and one consumer of a group works at a time."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, text

import event_brokers
from consuming import in_background, number, until_killed
from event_brokers import ConfigurationError, Consumer, Event, ReceivedEvent, endpoints
from event_brokers_sql import positions
from event_brokers_sql.consumer import consume
from event_brokers_sql.hooks import connect
from servers import MariaDB
from servers.backends import Backend
from waiting import wait_until

INSERT = "INSERT INTO {table} (sender_id, data) VALUES ('s', :data)"


@pytest.fixture(
    params=[
        pytest.param("sqlite_backend", id="sqlite"),
        pytest.param(
            "postgresql_backend", id="postgresql", marks=pytest.mark.xdist_group("postgresql")
        ),
        pytest.param("mariadb_backend", id="mariadb", marks=pytest.mark.xdist_group("mariadb")),
    ]
)
def database(request: pytest.FixtureRequest) -> Backend:
    """Return each database in turn, with its table made."""
    backend: Backend = request.getfixturevalue(request.param)
    publish(backend)
    return backend


@pytest.fixture(
    params=[
        pytest.param(
            "postgresql_backend", id="postgresql", marks=pytest.mark.xdist_group("postgresql")
        ),
        pytest.param("mariadb_backend", id="mariadb", marks=pytest.mark.xdist_group("mariadb")),
    ]
)
def server(request: pytest.FixtureRequest) -> Backend:
    """Return each database in which several transactions write at once, with its table made."""
    backend: Backend = request.getfixturevalue(request.param)
    publish(backend)
    return backend


def publish(backend: Backend, *numbers: int) -> None:
    """Publish events; the table is there afterwards, also without one."""
    with event_brokers.connect(backend.section) as broker:
        broker.publish_many([{"n": number} for number in numbers])
        wait_until(lambda: broker.flush(60).state == "connected" or numbers)


def url(backend: Backend) -> URL:
    """Return the URL of a plain client."""
    section = backend.section
    driver = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}
    if section["dialect"] == "sqlite":
        return URL.create("sqlite", database=section["db"])
    return URL.create(
        driver[section["dialect"]], section["username"], section["password"],
        section["url"], section["port"], section["db"],
    )  # fmt: skip


def table(backend: Backend) -> str:
    """Return the name of the table."""
    return str(backend.section.get("table", "events"))


def insert(connection: Any, backend: Backend, number: int) -> None:
    """Insert an event with a plain client."""
    statement = text(INSERT.format(table=table(backend)))
    connection.execute(statement, {"data": json.dumps({"n": number})})


def numbers(consumer: Iterator[ReceivedEvent], count: int) -> list[int]:
    """Return the numbers of the next events."""
    return [number(next(consumer)) for _ in range(count)]


def waits(consumer: Consumer) -> None:
    """Return when the consumer has a position and waits; a new group begins there."""
    asked = threading.Event()
    original = consumer._next

    def noted() -> ReceivedEvent | None:
        received = original()
        if received is None:
            asked.set()
        return received

    consumer._next = noted  # type: ignore[method-assign]
    assert asked.wait(20)


def test_an_event_that_commits_late_is_not_skipped(server: Backend) -> None:
    """Its id is lower than one that was seen before it: what comes behind it waits."""
    engine = create_engine(url(server))
    with event_brokers.consume(server.section, from_start=True) as consumer:
        with engine.connect() as late, engine.connect() as early:
            insert(late, server, 1)
            insert(early, server, 2)
            early.commit()
            found = in_background(consumer)
            publish(server, 3)
            waits(consumer)
            assert found == []
            late.commit()
        wait_until(lambda: found == [1, 2, 3])
    engine.dispose()


def test_an_id_that_was_rolled_back_holds_nobody_up(server: Backend) -> None:
    """A gap that nothing can fill any more is passed."""
    engine = create_engine(url(server))
    with engine.connect() as connection:
        insert(connection, server, 1)
        connection.rollback()
    publish(server, 2)
    with event_brokers.consume(server.section, from_start=True) as consumer:
        assert numbers(consumer, 1) == [2]
    engine.dispose()


def test_many_publishers_at_once_lose_nothing(server: Backend) -> None:
    """Transactions of every length, some rolled back: consumed is what was committed, once each."""
    engine = create_engine(url(server), pool_size=8)
    committed: list[int] = []
    lock = threading.Lock()

    def work(worker: int) -> None:
        chance = random.Random(worker)
        for start in range(0, 300, 10):
            with engine.connect() as connection:
                mine = [worker * 1000 + start + number for number in range(chance.randint(1, 5))]
                for number in mine:
                    insert(connection, server, number)
                if chance.random() < 0.2:
                    connection.rollback()
                    continue
                connection.commit()
                with lock:
                    committed.extend(mine)

    with event_brokers.consume(server.section, from_start=True) as consumer:
        found = in_background(consumer)
        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until(lambda: len(found) >= len(committed), timeout=60)
        waits(consumer)
    assert sorted(found) == sorted(committed)
    engine.dispose()


def test_a_new_group_begins_with_new_events(database: Backend) -> None:
    """Unless it is told to begin at the start; each group gets them all."""
    publish(database, 1, 2)
    with event_brokers.consume(database.section, group="new") as consumer:
        found = in_background(consumer)
        waits(consumer)
        publish(database, 3)
        wait_until(lambda: found == [3])
    with event_brokers.consume(database.section, group="all", from_start=True) as consumer:
        assert numbers(consumer, 3) == [1, 2, 3]


def test_one_consumer_of_a_group_works_and_the_next_takes_over(database: Backend) -> None:
    """At once when the one before was closed."""
    publish(database, 1, 2, 3)
    first = event_brokers.consume(database.section, from_start=True)
    assert numbers(first, 2) == [1, 2]
    with event_brokers.consume(database.section, from_start=True) as second:
        found = in_background(second)
        waits(second)
        assert found == []
        first.close()
        wait_until(lambda: found == [2, 3])


def test_a_consumer_that_is_silent_loses_its_group(
    database: Backend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another goes on with the event in hand; the first notices, says so, and stands by."""
    monkeypatch.setattr(positions, "_TAKEOVER_SECONDS", 0.5)
    publish(database, 1, 2)
    with event_brokers.consume(database.section, from_start=True) as slow:
        assert numbers(slow, 1) == [1]
        with event_brokers.consume(database.section, from_start=True) as quick:
            assert numbers(quick, 2) == [1, 2]
            found = in_background(slow)
            wait_until(lambda: "another consumer has taken over the group" in caplog.text)
            waits(slow)
            assert [number for number in found if number != 2] == []


@pytest.mark.timeout(120)
def test_a_killed_consumer_loses_nothing(sqlite_backend: Backend) -> None:
    """The event in hand comes again, and every other came."""
    publish(sqlite_backend, *range(20))
    seen = until_killed(sqlite_backend.section, 3) + until_killed(sqlite_backend.section, 5)
    with event_brokers.consume(sqlite_backend.section, from_start=True) as consumer:
        while 19 not in seen:
            seen += numbers(consumer, 1)
    assert sorted(set(seen)) == list(range(20))


def test_a_table_that_was_emptied_is_read_from_its_start(
    sqlite_backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    """Its ids begin anew, and nothing of it was seen."""
    publish(sqlite_backend, 1, 2, 3)
    engine = create_engine(URL.create("sqlite", database=sqlite_backend.section["db"]))
    with event_brokers.consume(sqlite_backend.section, from_start=True) as consumer:
        found = in_background(consumer)
        wait_until(lambda: found == [1, 2, 3])
        waits(consumer)
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM events"))
        wait_until(lambda: "was emptied" in caplog.text)
        publish(sqlite_backend, 4)
        wait_until(lambda: found == [1, 2, 3, 4])
    engine.dispose()


def test_a_row_that_is_no_event_is_handed_over_as_it_is(sqlite_backend: Backend) -> None:
    """With the reason, and once: it is acknowledged as any other."""
    publish(sqlite_backend, 1)
    engine = create_engine(URL.create("sqlite", database=sqlite_backend.section["db"]))
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO events (data) VALUES ('no event'), (NULL)"))
    engine.dispose()
    publish(sqlite_backend, 2)
    with event_brokers.consume(sqlite_backend.section, from_start=True) as consumer:
        received = [next(consumer) for _ in range(4)]
    assert [each.body for each in received] == [b'{"n":1}', b"no event", b"", b'{"n":2}']
    assert [each.problem for each in received] == [None, "not JSON", "not JSON", None]
    assert [each.origin for each in received][1] == "table 'events', id 2"
    assert (received[1].id, received[1].headers) == (None, {})


def test_headers_come_back_with_those_of_the_core(database: Backend) -> None:
    """As from every other type: what was given, the event's id and its type."""
    given = Event.from_dict({"event": "us\ner"}, "one", {"trace": "Grüße"})
    plain = Event.from_dict({}, "two")
    options = endpoints.read(database.section).options
    with closing(connect(options, set())) as connection:
        connection.publish([given, plain])
    with event_brokers.consume(database.section, from_start=True) as consumer:
        received = [next(consumer) for _ in range(2)]
    assert [each.headers for each in received] == [given.headers, plain.headers]
    assert received[0].headers == {"trace": "Grüße", "event_id": "one", "event_type": "user"}


def test_a_consumer_makes_no_table_anew_that_is_gone(database: Backend) -> None:
    """It ends with a sentence: what it would read from a new one is not what was published."""
    publish(database, 1)
    options, used = endpoints.read(database.section).options, set[str]()
    with closing(consume(options, None, True, used)) as received:
        assert number(next(each for each in received if each is not None)) == 1
    engine = create_engine(url(database))
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {table(database)}"))
    engine.dispose()
    with (
        closing(consume(options, None, True, used)) as received,
        pytest.raises(ConfigurationError, match="was used before and is gone"),
    ):
        next(received)


def test_headers_that_somebody_else_wrote_end_no_consumer(sqlite_backend: Backend) -> None:
    """What is no mapping of text to text counts as no headers."""
    publish(sqlite_backend)
    engine = create_engine(URL.create("sqlite", database=sqlite_backend.section["db"]))
    with engine.begin() as connection:
        for headers in ("no JSON", '["a"]', '{"a": 1}', '{"a": "b"}'):
            insertion = "INSERT INTO events (data, headers) VALUES ('{}', :headers)"
            connection.execute(text(insertion), {"headers": headers})
    engine.dispose()
    with event_brokers.consume(sqlite_backend.section, from_start=True) as consumer:
        assert [next(consumer).headers for _ in range(4)] == [{}, {}, {}, {"a": "b"}]


@pytest.mark.xdist_group("mariadb")
def test_a_right_that_is_missing_is_named(mariadb: MariaDB, mariadb_backend: Backend) -> None:
    """Before the first event is read: without it one could be skipped."""
    publish(mariadb_backend, 1)
    name = mariadb_backend.section["table"]
    mariadb.query("DROP USER IF EXISTS reader@'%'")
    mariadb.query("CREATE USER reader@'%' IDENTIFIED BY 'reader'")
    for made in (name, f"{name}_positions"):
        rights = "SELECT, INSERT, CREATE, ALTER, UPDATE, INDEX"
        mariadb.query(f"GRANT {rights} ON {mariadb.db}.{made} TO reader@'%'")
    section = {**mariadb_backend.section, "username": "reader", "password": "reader"}
    with (
        event_brokers.consume(section, from_start=True) as consumer,
        pytest.raises(ConfigurationError, match="grant LOCK TABLES"),
    ):
        next(consumer)


def test_a_server_that_goes_away_and_comes_back_loses_nothing(server: Backend) -> None:
    """The consumer goes on by itself."""
    assert server.server is not None
    publish(server, 1, 2)
    with event_brokers.consume(server.section, from_start=True) as consumer:
        found = in_background(consumer)
        wait_until(lambda: found == [1, 2])
        server.server.kill()
        server.server.recover()
        publish(server, 3)
        wait_until(lambda: sorted(set(found)) == [1, 2, 3], timeout=60)
