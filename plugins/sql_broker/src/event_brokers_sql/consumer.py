"""Reads the table of events, in the order of the ids, and goes past none that may still come."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from typing import Any

from sqlalchemy import Connection, Row, Table, func, select

from event_brokers.plugin import PublishError, ReceivedEvent, logger
from event_brokers_sql import schema
from event_brokers_sql.engine import Database
from event_brokers_sql.gaps import barrier_for
from event_brokers_sql.options import SQLOptions
from event_brokers_sql.positions import GroupPositions, NoPositions, Occupied, Positions
from event_brokers_sql.rows import read_row
from event_brokers_sql.used_tables import prepare_table, require_file

_AT_ONCE = 500
_POLL_SECONDS = 0.2
_STORE_SECONDS = 0.1  # after SIGKILL, what was acknowledged in that time may come again
_BEAT_SECONDS = 1.0

Received = Generator[ReceivedEvent | None, None, None]


def consume(options: SQLOptions, group: str | None, from_start: bool, used: set[str]) -> Received:
    """Yield the events of the table; see the hook `consume`.

    Parameters:
        options: the options of `type: sql`.
        group: consumers of one group take turns: one works, the others stand by.
        from_start: whether a group without a position begins with the first row.
        used: the tables that this consumer has read before; gains this one.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: the connection is lost.
    """
    positions = NoPositions() if group is None else GroupPositions(options.table, group)
    with closing(Database(options)) as database:
        require_file(database.url, options.table, used)
        with database.session() as connection:
            table = prepare_table(connection, options.table, used)
            if isinstance(positions, GroupPositions):
                schema.prepare(connection, positions.table)
        reader = _Reader(database, table, positions)
        yield from _wait_for_turn(reader, from_start)
        while True:
            try:
                yield from reader.read()
            except Occupied:
                logger.warning("sql: another consumer has taken over the group '%s'", group)
                yield from _wait_for_turn(reader, from_start)


def _wait_for_turn(reader: _Reader, from_start: bool) -> Received:
    while not reader.take_turn(from_start):
        yield None
        time.sleep(_POLL_SECONDS)


class _Reader:
    """One consumer's way through the table."""

    def __init__(self, database: Database, table: Table, positions: Positions) -> None:
        self._database = database
        self._table = table
        self._positions = positions
        self._barrier = barrier_for(table, database.url.get_backend_name())
        self._barrier_at: int | None = None  # the highest id that was seen when it was set
        self._final = 0  # no row up to this id is still to come
        self._position = 0
        self._stored_at = 0.0

    def take_turn(self, from_start: bool) -> bool:
        """Find the position, or make one; return whether this consumer may work now."""
        with self._database.transaction() as connection:
            try:
                found = self._positions.find(connection)
                if not self._passes(connection, self._highest(connection)):
                    return False  # an event whose transaction is still open must not count as new
                if found is None:
                    found = 0 if from_start else self._highest(connection)
                    self._positions.begin(connection, found)
            except Occupied:
                return False
        self._position, self._stored_at = found, time.monotonic()
        return True

    def read(self) -> Received:
        """Yield what there is for ever, as long as this consumer may.

        Raises:
            Occupied: another consumer has taken the group over.
        """
        try:
            while True:
                rows = self._read_ready()
                for row in rows:
                    yield read_row(row, self._table)
                    self._position = row.id
                    self._store_after(_STORE_SECONDS)
                if rows:
                    self._store_after(0)
                    continue
                self._store_after(_BEAT_SECONDS)
                yield None
                time.sleep(_POLL_SECONDS)
        except (PublishError, Occupied):
            raise
        except BaseException:
            self._release()
            raise

    def _read_ready(self) -> list[Row[Any]]:
        """Return the next rows before which no other can appear."""
        rows, is_final = self._read_some()
        # another row may have appeared between reading and passing the barrier
        return self._read_some()[0] if is_final else rows

    def _read_some(self) -> tuple[list[Row[Any]], bool]:
        """Return the rows that may be yielded, and whether more have just become final."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                select(self._table)
                .where(self._table.c.id > self._position)
                .order_by(self._table.c.id)
                .limit(_AT_ONCE)
            ).all()
            if not rows:
                self._begin_anew_if_emptied(connection)
                return [], False
            ready = self._select_ready(rows)
            gap = len(ready) < len(rows)
            return ready, gap and self._passes(connection, rows[-1].id)

    def _select_ready(self, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
        """Return the rows before the first gap in which one may still appear."""
        ready: list[Row[Any]] = []
        before = self._position
        for row in rows:
            if row.id != before + 1 and row.id > self._final:
                break
            ready.append(row)
            before = row.id
        return ready

    def _passes(self, connection: Connection, highest: int) -> bool:
        """Return whether the barrier is passed; sets one at an id that was seen, if none is set."""
        if self._barrier_at is None:
            self._barrier.begin(connection)
            self._barrier_at = highest
        if not self._barrier.is_passed(connection):
            return False
        self._final, self._barrier_at = self._barrier_at, None
        return True

    def _highest(self, connection: Connection) -> int:
        return connection.scalar(select(func.max(self._table.c.id))) or 0

    def _begin_anew_if_emptied(self, connection: Connection) -> None:
        if self._highest(connection) >= self._position:
            return
        logger.warning("sql: the table '%s' was emptied; begins at its start", self._table.name)
        self._position = self._final = 0

    def _store_after(self, seconds: float) -> None:
        if time.monotonic() - self._stored_at < seconds:
            return
        with self._database.transaction() as connection:
            self._positions.store(connection, self._position)
        self._stored_at = time.monotonic()

    def _release(self) -> None:
        # where this fails, the next consumer goes on from the last position that was stored
        with suppress(PublishError, Occupied), self._database.transaction() as connection:
            self._positions.release(connection, self._position)
