"""One connection to the database, and the transaction that stores a batch."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Engine, Table, create_engine, event, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from event_brokers import BrokerUnavailable, ConfigurationError, Event, fork
from event_brokers_sql import schema
from event_brokers_sql.address import (
    database_file,
    database_url,
    driver_arguments,
    longest_answer,
    place,
)
from event_brokers_sql.deadline import Deadline, end_given_up
from event_brokers_sql.failures import meaning
from event_brokers_sql.options import SQLOptions
from event_brokers_sql.packet import largest_statement, refuse_too_large

_ASKED_AT_ONCE = 500


class Connection:
    """A database whose table of events is ready.

    Parameters:
        options: the options of `type: sql`.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: the database cannot be reached now.
    """

    def __init__(self, options: SQLOptions) -> None:
        self._url = database_url(options)
        self._table = schema.events_table(options.table)
        _require_folder(self._url)
        self._engine = _engine(self._url)
        self._deadline = Deadline(self._engine, longest_answer())
        self._turn = threading.Lock()
        if self._url.get_backend_name() == "sqlite":
            fork.watch(self)
        try:
            with self._session(), self._engine.connect() as connection:
                end_given_up(connection)
                schema.prepare(connection, self._table)
                self._largest = largest_statement(connection)
                unicode = schema.holds_unicode(connection, self._table)
                self._json = _as_it_is if unicode else _in_ascii
        except BaseException:
            self._engine.dispose()
            raise

    def publish(self, events: Sequence[Event]) -> None:
        """Store a batch in one transaction; what is stored already is left as it is.

        Raises:
            RejectedEvents: the database refuses a value, or an event is too large; nothing of
                the batch was stored.
            ConfigurationError: a person must change something.
            BrokerUnavailable: not stored, or not known.
        """
        refuse_too_large(events, self._largest)
        rows = [_row(event, self._json(event.body)) for event in events]
        with self._session(), self._engine.begin() as connection:
            statement = _insert_unless_stored(self._table, connection.dialect.name)
            if statement is None:
                rows = _not_stored(connection, self._table, rows)
                statement = sqlalchemy.insert(self._table)
            if rows:
                connection.execute(statement, rows)

    def close(self) -> None:
        """Release the connection to the database."""
        self._engine.dispose()

    def before_fork(self) -> None:
        """Close SQLite's file: a child that copies it open believes to hold the parent's locks.

        https://www.sqlite.org/howtocorrupt.html, section 2.6
        """
        self._turn.acquire()
        self._engine.dispose()

    def after_fork_in_parent(self) -> None:
        """Go on; the next batch opens the file again."""
        self._turn.release()

    def after_fork_in_child(self) -> None:
        """Do nothing: the child has a connection of its own."""

    @contextmanager
    def _session(self) -> Iterator[None]:
        """Let nobody fork, and nothing hang, meanwhile; word what the database refuses."""
        try:
            with self._turn, _told(self._url), self._deadline.kept():
                yield
        except BrokerUnavailable:
            self._deadline.give_up()
            if self._deadline.has_passed:
                raise BrokerUnavailable(f"{place(self._url)} did not answer in time") from None
            raise


def look(options: SQLOptions) -> list[str]:
    """Return what was found at the database, a sentence each, and change nothing.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: the database cannot be reached now.
    """
    url = database_url(options)
    table = schema.events_table(options.table)
    _require_folder(url)
    file = database_file(url)
    if file is not None and not file.exists():
        return [f"the file '{file}' is missing; it is made at the first connect"]
    engine = _engine(url)
    try:
        with _told(url), engine.connect() as connection:
            return [_connected(connection, url), _table_found(connection, table)]
    finally:
        engine.dispose()


def _connected(connection: sqlalchemy.Connection, url: URL) -> str:
    version = ".".join(str(part) for part in connection.dialect.server_version_info or ())
    name = {"postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB", "sqlite": "SQLite"}
    server = f"{name.get(connection.dialect.name, connection.dialect.name)} {version}".strip()
    if url.get_backend_name() == "sqlite":
        return f"connected to {server}, file {place(url)}"
    return f"connected to {server} at {place(url)} as '{url.username}', database '{url.database}'"


def _table_found(connection: sqlalchemy.Connection, table: Table) -> str:
    if not schema.exists(connection, table):
        return f"table '{table.name}' is missing; it is made at the first connect"
    if schema.missing(connection, table):
        return f"table '{table.name}' found; the columns it lacks are added at the first connect"
    return f"table '{table.name}' found"


def _engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        connect_args=driver_arguments(url),
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        **_pool(url),
    )
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _sync_sqlite_fully)
    return engine


def _pool(url: URL) -> dict[str, Any]:
    # the default pools of SQLite differ with the kind of file; one connection serves every kind
    return {"poolclass": sqlalchemy.QueuePool} if url.get_backend_name() == "sqlite" else {}


def _sync_sqlite_fully(connection: Any, _record: Any) -> None:
    # confirmed means on disk, whatever this SQLite was compiled to do by itself
    connection.execute("PRAGMA synchronous=FULL")


def _require_folder(url: URL) -> None:
    file = database_file(url)
    if file is not None and not file.parent.is_dir():
        raise ConfigurationError(
            f"event_broker.db: the folder '{file.parent}' does not exist; make it first"
        )


@contextmanager
def _told(url: URL) -> Iterator[None]:
    """Raise what an error of the database means, without the statement it belongs to."""
    try:
        yield
    except SQLAlchemyError as error:
        raise meaning(error, url) from None


def _as_it_is(body: bytes) -> str:
    return body.decode()


def _in_ascii(body: bytes) -> str:
    """Return the same JSON with an escape for every other character."""
    return json.dumps(json.loads(body), separators=(",", ":"))


def _row(event: Event, data: str) -> dict[str, Any]:
    return {
        "sender_id": event.sender_id,
        "data": data,
        "event_id": event.id,
        "type_name": event.type,
        "timestamp": event.timestamp,
    }


def _insert_unless_stored(table: Table, dialect: str) -> Any:
    """Return the insert that leaves stored events alone; None where the dialect has none."""
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing(index_elements=["event_id"])
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=["event_id"])
    if dialect in ("mysql", "mariadb"):
        # not INSERT IGNORE, which would also cut values that are too long
        return mysql.insert(table).on_duplicate_key_update(event_id=table.c.event_id)
    return None


def _not_stored(
    connection: sqlalchemy.Connection, table: Table, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    stored: set[str] = set()
    for start in range(0, len(rows), _ASKED_AT_ONCE):
        ids = [row["event_id"] for row in rows[start : start + _ASKED_AT_ONCE]]
        stored.update(connection.scalars(select(table.c.event_id).where(table.c.event_id.in_(ids))))
    return [row for row in rows if row["event_id"] not in stored]
