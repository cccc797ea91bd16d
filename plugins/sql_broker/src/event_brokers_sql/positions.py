"""How far each group of consumers is, in a table of its own, and which of its consumers works."""

from __future__ import annotations

import time
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.mysql import VARCHAR
from sqlalchemy.exc import IntegrityError

_TAKEOVER_SECONDS = 10.0  # a consumer that is silent for so long loses its group


class Positions(Protocol):
    """Where a consumer is."""

    def find(self, connection: Connection) -> int | None:
        """Return the id of the last event that was acknowledged; None where there is none yet.

        Raises:
            Occupied: another consumer of the group works.
        """

    def begin(self, connection: Connection, position: int) -> None:
        """Note where a group begins that had no position.

        Raises:
            Occupied: another consumer of the group was faster.
        """

    def store(self, connection: Connection, position: int) -> None:
        """Note what was acknowledged, and that this consumer lives.

        Raises:
            Occupied: another consumer has taken the group over.
        """

    def release(self, connection: Connection, position: int) -> None:
        """Note what was acknowledged, and let another consumer of the group work."""


class Occupied(Exception):
    """Another consumer of the group works."""


class NoPositions:
    """Of a consumer that takes part in no group."""

    def find(self, connection: Connection) -> int | None:  # noqa: ARG002 - the protocol's
        return None

    def begin(self, connection: Connection, position: int) -> None:
        pass

    def store(self, connection: Connection, position: int) -> None:
        pass

    def release(self, connection: Connection, position: int) -> None:
        pass


class GroupPositions:
    """Of one group, in a table that all of its consumers share.

    Parameters:
        events: the name of the table of events; the positions stand in `<name>_positions`.
        group: the group's name.
    """

    def __init__(self, events: str, group: str) -> None:
        self.table = _positions_table(f"{events}_positions")
        self._group = group
        self._me = str(uuid4())
        self._seen: tuple[str | None, int] | None = None
        self._seen_at = time.monotonic()

    def find(self, connection: Connection) -> int | None:
        columns = self.table.c
        query = select(columns.position, columns.owner, columns.beat)
        row = connection.execute(query.where(columns.group_name == self._group)).one_or_none()
        if row is None:
            return None
        if row.owner not in (None, self._me) and not self._is_silent(row.owner, row.beat):
            raise Occupied
        same = (columns.owner == row.owner) & (columns.beat == row.beat)
        free = columns.owner.is_(None) if row.owner is None else same
        self._update(connection, free, row.position, self._me)
        return int(row.position)

    def begin(self, connection: Connection, position: int) -> None:
        row = {"group_name": self._group, "position": position, "owner": self._me, "beat": 0}
        try:
            with connection.begin_nested():
                connection.execute(insert(self.table), row)
        except IntegrityError:
            raise Occupied from None

    def store(self, connection: Connection, position: int) -> None:
        self._update(connection, self.table.c.owner == self._me, position, self._me)

    def release(self, connection: Connection, position: int) -> None:
        self._update(connection, self.table.c.owner == self._me, position, None)

    def _update(self, connection: Connection, who: Any, position: int, owner: str | None) -> None:
        columns = self.table.c
        changed = connection.execute(
            update(self.table)
            .where(columns.group_name == self._group, who)
            .values(position=position, owner=owner, beat=columns.beat + 1)
        )
        if not changed.rowcount:
            raise Occupied

    def _is_silent(self, owner: str, beat: int) -> bool:
        # by the clock of this machine alone: two clocks may differ
        if self._seen != (owner, beat):
            self._seen, self._seen_at = (owner, beat), time.monotonic()
        return time.monotonic() - self._seen_at >= _TAKEOVER_SECONDS


def _positions_table(name: str) -> Table:
    text = String(255).with_variant(VARCHAR(255, collation="utf8mb4_bin"), "mysql", "mariadb")
    return Table(
        name,
        MetaData(),
        Column("group_name", text, primary_key=True),
        Column("position", BigInteger(), nullable=False),
        Column("owner", String(36)),
        Column("beat", BigInteger(), nullable=False),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
