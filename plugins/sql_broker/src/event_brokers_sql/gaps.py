"""When an id that is missing between others will never come.

Ids are given out when a row is inserted, and the row is seen when its transaction commits: a row
with a lower id may appear behind one with a higher id, or never.
"""

from __future__ import annotations

import time
from typing import Protocol

from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import OperationalError

from event_brokers.plugin import ConfigurationError

_OLD_SECONDS = 60.0
# numbers of MySQL and MariaDB
_LOCK_WAIT_TIMEOUT = 1205
_NO_RIGHT = (1044, 1142)


class Barrier(Protocol):
    """Tells when all transactions have ended that were open when it was begun."""

    def begin(self, connection: Connection) -> None:
        """Begin to wait for the transactions that are open now."""

    def is_passed(self, connection: Connection) -> bool:
        """Return whether the rows that are seen now are all there will be, of those ids."""


def barrier_for(table: Table, dialect: str) -> Barrier:
    """Return the way in which a dialect tells.

    Parameters:
        table: of the events.
        dialect: as SQLAlchemy names it.
    """
    if dialect == "sqlite":
        return _OneWriter()
    if dialect == "postgresql":
        return _Lockers(table)
    if dialect in ("mysql", "mariadb"):
        return _TableLock(table)
    return _Age()


class _OneWriter:
    """SQLite lets one transaction write at a time, so ids are seen in their order."""

    def begin(self, connection: Connection) -> None:
        pass

    def is_passed(self, connection: Connection) -> bool:  # noqa: ARG002 - the protocol's
        return True


class _Lockers:
    """PostgreSQL: whoever inserts holds a lock on the table from before the id to the end.

    https://www.postgresql.org/docs/current/explicit-locking.html: ROW EXCLUSIVE.
    """

    _WHO = text(
        "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' "
        "AND mode = 'RowExclusiveLock' AND pid IS DISTINCT FROM pg_backend_pid() "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND relation = to_regclass(:table)"
    )

    def __init__(self, table: Table) -> None:
        self._table = table
        self._waited_for: set[str] = set()

    def begin(self, connection: Connection) -> None:
        self._waited_for = self._writers(connection)

    def is_passed(self, connection: Connection) -> bool:
        self._waited_for &= self._writers(connection)
        return not self._waited_for

    def _writers(self, connection: Connection) -> set[str]:
        name = connection.dialect.identifier_preparer.format_table(self._table)
        return set(connection.scalars(self._WHO, {"table": name}))


class _TableLock:
    """MySQL and MariaDB: a read lock on the table is granted when every writer has ended.

    https://dev.mysql.com/doc/refman/8.0/en/metadata-locking.html
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self, connection: Connection) -> None:
        pass

    def is_passed(self, connection: Connection) -> bool:
        name = connection.dialect.identifier_preparer.format_table(self._table)
        connection.exec_driver_sql("SET SESSION lock_wait_timeout = 1")
        try:
            connection.exec_driver_sql(f"LOCK TABLES {name} READ")
        except OperationalError as error:
            number = error.orig.args[0] if error.orig and error.orig.args else 0
            if number not in _NO_RIGHT and number != _LOCK_WAIT_TIMEOUT:
                raise
            if number == _LOCK_WAIT_TIMEOUT:
                return False
            raise ConfigurationError(
                "event_broker.username: the user may not lock tables, without which an event that "
                "commits late would be skipped; grant LOCK TABLES on the database"
            ) from None
        finally:
            connection.exec_driver_sql("SET SESSION lock_wait_timeout = DEFAULT")
        connection.exec_driver_sql("UNLOCK TABLES")
        return True


class _Age:
    """Of other dialects nothing is known: a transaction counts as ended after a minute."""

    def __init__(self) -> None:
        self._set_at = time.monotonic()

    def begin(self, connection: Connection) -> None:  # noqa: ARG002 - the protocol's
        self._set_at = time.monotonic()

    def is_passed(self, connection: Connection) -> bool:  # noqa: ARG002 - the protocol's
        return time.monotonic() - self._set_at >= _OLD_SECONDS
