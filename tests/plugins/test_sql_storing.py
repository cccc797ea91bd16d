"""However rows reach the database, the table is the same: the driver's way is only faster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection as Session
from sqlalchemy import text

from event_brokers import Event, RejectedEvents, endpoints
from event_brokers.event_ids import new_id
from event_brokers_sql import schema, storing
from event_brokers_sql.connection import Connection
from servers.backends import Backend
from servers.backends.sql import BACKENDS

COLUMNS = "sender_id, data, event_id, type_name, timestamp, headers"


@pytest.fixture(params=BACKENDS)
def database(request: pytest.FixtureRequest) -> Backend:
    """Return each database in turn."""
    backend: Backend = request.getfixturevalue(request.param)
    return backend


class Stored:
    """A connection as the core has it, and what stands in its table.

    Parameters:
        section: of endpoints.yml.
        table: in which events are stored.
    """

    def __init__(self, section: dict[str, Any], table: str) -> None:
        self.options = endpoints.read({**section, "table": table}).options
        self.table = table
        self.connection = Connection(self.options, set())

    def rows(self) -> list[tuple[Any, ...]]:
        """Return what is stored, in order, without the ids that the database gave."""
        with self.session() as session:
            name = session.dialect.identifier_preparer.format_table(schema.events_table(self.table))
            found = session.exec_driver_sql(f"SELECT {COLUMNS} FROM {name} ORDER BY id")
            return [tuple(row) for row in found]

    def session(self) -> Any:
        """Return a context with a transaction of the plugin's own session."""
        return self.connection._database.transaction()

    def publish(self, events: list[Event]) -> str | None:
        """Publish; return the kind of the refusal, or None."""
        try:
            self.connection.publish(events)
        except RejectedEvents as rejected:
            return f"refused, named: {list(rejected.reasons)}"
        return None

    def close(self) -> None:
        """Drop the table, and close the connection."""
        with self.session() as session:
            schema.events_table(self.table).drop(session)
        self.connection.close()


@contextmanager
def opened(section: dict[str, Any], *tables: str) -> Iterator[list[Stored]]:
    """Hand out a connection for each table, which is gone at the end."""
    with ExitStack() as stack:
        found = []
        for table in tables:
            found.append(Stored(section, table))
            stack.callback(found[-1].close)
        yield found


def store_by_sqlalchemy(stored: Stored, asks: bool) -> None:
    """Let a connection store as it does with a driver of which nothing is known.

    Parameters:
        stored: the connection.
        asks: whether it asks what is stored, as where the dialect cannot leave it alone.
    """
    table = schema.events_table(stored.table)
    with stored.session() as session:
        unless_stored = storing._insert_unless_stored(table, session.dialect.name)
    columns = stored.connection._rows.columns
    stored.connection._storing = storing._Mappings(table, columns, None if asks else unless_stored)


def in_small_statements(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Let a batch take several statements; connect afterwards."""
    for name in ("_TO_POSTGRESQL", "_TO_SQLITE", "_TO_PYMYSQL"):
        monkeypatch.setattr(storing, name, size)


FINITE = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=5)
HEADERS = st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["C", "Z"])), max_size=2)


@st.composite
def odd_events(draw: st.DrawFn) -> Event:
    """Return an event whose texts hold what SQL, arrays and formats have a meaning for."""
    odd = st.text() | st.sampled_from(["", "NULL", "{}", '{"a"}', "%s", "%b", "%%", "\\N", "'\"\\"])
    body = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "sender_id": odd | st.none() | st.integers(),
                "event": odd | st.none(),
                "timestamp": FINITE | st.none() | st.integers(-(10**400), 10**400),
                "text": odd,
            },
        )
    )
    return Event.from_dict(body, new_id(), draw(HEADERS))


def test_the_drivers_way_writes_what_sqlalchemy_writes(
    database: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the database refuses the batch either way; what is stored already is left alone."""
    in_small_statements(monkeypatch, 2)
    tables = [f"events_{uuid4().hex[:12]}" for _ in range(3)]
    with opened(database.section, *tables) as (by_driver, by_sqlalchemy, by_asking):
        assert type(by_driver.connection._storing) is not storing._Mappings
        store_by_sqlalchemy(by_sqlalchemy, asks=False)
        store_by_sqlalchemy(by_asking, asks=True)

        @settings(max_examples=80, suppress_health_check=list(HealthCheck))
        @given(st.lists(odd_events(), min_size=1, max_size=6), st.data())
        def same(events: list[Event], data: st.DataObject) -> None:
            before = data.draw(st.lists(st.sampled_from(events), unique_by=lambda event: event.id))
            for batch in (before, events):
                outcomes = [
                    stored.publish(batch) for stored in (by_driver, by_sqlalchemy, by_asking)
                ]
                assert outcomes == [outcomes[0]] * 3
            assert by_driver.rows() == by_sqlalchemy.rows() == by_asking.rows()

        same()


def test_a_batch_larger_than_a_statement_keeps_its_order(
    database: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids grow in the order of the batch, also around events that are stored already."""
    in_small_statements(monkeypatch, 64)
    events = [Event.from_dict({"number": number}) for number in range(1_000)]
    known = events[::7]
    with opened(database.section, f"events_{uuid4().hex[:12]}") as (stored,):
        stored.connection.publish(known)
        stored.connection.publish(events)
        found = [row[2] for row in stored.rows()]
    ids = [event.id for event in known]
    assert found == ids + [event.id for event in events if event.id not in set(ids)]


@pytest.mark.parametrize("name", ["order", "a%b", "%s", "a%(b)s", 'a"b', "a`b", "a, b", "Ä b"])
def test_a_table_may_have_any_name(database: Backend, name: str) -> None:
    """Words of SQL and signs of its drivers; one event, several, and those stored already."""
    events = [Event.from_dict({"number": number}) for number in range(3)]
    with opened(database.section, f"{name}_{uuid4().hex[:12]}") as (stored,):
        for batch in (events[:1], events, events[:1]):
            stored.connection.publish(batch)
        assert [row[2] for row in stored.rows()] == [event.id for event in events]


@pytest.mark.parametrize("database", BACKENDS[1:], indirect=True)
def test_a_sender_longer_than_its_column_is_refused_and_never_cut(
    database: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rasa's table takes 255 characters, but for SQLite's; nothing of the batch is stored."""
    in_small_statements(monkeypatch, 64)
    table = f"events_{uuid4().hex[:12]}"
    make_table_of_rasa(database, table)
    events = [Event.from_dict({"sender_id": "s" * 255, "n": number}) for number in range(200)]
    too_long = Event.from_dict({"sender_id": "s" * 256})
    with opened(database.section, table) as (stored,):
        with pytest.raises(RejectedEvents, match="a value is longer than its column takes") as told:
            stored.connection.publish([*events[:150], too_long, *events[150:]])
        assert "sss" not in str(told.value)
        assert stored.rows() == []
        stored.connection.publish(events)
        assert [row[2] for row in stored.rows()] == [event.id for event in events]


def make_table_of_rasa(database: Backend, table: str) -> None:
    """Make the table as an owner other than this plugin does."""
    columns = "id SERIAL PRIMARY KEY, sender_id VARCHAR(255), data TEXT"
    other = Connection(endpoints.read({**database.section, "table": f"{table}_x"}).options, set())
    with other._database.transaction() as session:
        assert isinstance(session, Session)
        schema.events_table(f"{table}_x").drop(session)
        session.execute(text(f"CREATE TABLE {table} ({columns})"))
    other.close()
