"""The tracker store that keeps conversations in an SQL database, across restarts.

Events are stored with a mark that says they are due, and the mark is taken away once the broker has
accepted them: whatever happens in between, the next save or start finds them (the pattern is known
as the transactional outbox).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.mysql import LONGTEXT, VARCHAR
from sqlalchemy.exc import IntegrityError

from event_brokers import Event, Secret, SecretUrl
from event_brokers_assistant import events
from event_brokers_assistant.database import ConversationDatabase, SQLTrackerStoreOptions
from event_brokers_assistant.errors import TrackerStoreError
from event_brokers_assistant.stores import AT_ONCE, initial_slots, stored_event
from event_brokers_assistant.streaming import Broker, Stream, StreamStatus
from event_brokers_assistant.tracker import DialogueStateTracker

_text = Text().with_variant(LONGTEXT(), "mysql", "mariadb")
_name = String(255).with_variant(VARCHAR(255, collation="utf8mb4_bin"), "mysql", "mariadb")
_metadata = MetaData()

# locked while events are added, so that their ids are in the order in which they become visible
_conversations = Table(
    "tracker_conversations",
    _metadata,
    Column("sender_id", _name, primary_key=True),
    Column("saves", BigInteger(), nullable=False),
    mysql_charset="utf8mb4",
    mariadb_charset="utf8mb4",
)
_events = Table(
    "tracker_events",
    _metadata,
    Column(
        "id",
        BigInteger().with_variant(Integer(), "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("sender_id", _name, nullable=False, index=True),
    Column("event_id", _name, nullable=False, unique=True),
    Column("type_name", _name, nullable=False),
    Column("timestamp", Double()),
    Column("data", _text, nullable=False),
    Column("due", Boolean(), nullable=False, index=True),
    mysql_charset="utf8mb4",
    mariadb_charset="utf8mb4",
)


class SQLTrackerStore:
    """A TrackerStore in an SQL database; any number of processes may share it.

    Parameters:
        domain: a domain as Rasa writes it, for the initial values of its `slots`.
        dialect: sqlite, postgresql, mysql, mariadb, or another of SQLAlchemy's.
        host: of the server, or a full SQLAlchemy URL in place of the others.
        port: of the server.
        db: the database; for SQLite its file.
        username: the user.
        password: the user's password.
        event_broker: gets every event that is saved; None streams nothing.
        query: options of the database's driver.
        options: those of endpoints.yml, in place of all from `dialect` on.

    Raises:
        ConfigurationError: an option is wrong, or the driver is missing.
        TrackerStoreError: the database cannot be used now.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the signature of the original
        self,
        domain: Mapping[str, Any] | None = None,
        dialect: str = "sqlite",
        host: str | None = None,
        port: int | None = None,
        db: str = "tracker.db",
        username: str | None = None,
        password: str | None = None,
        event_broker: Broker | None = None,
        query: Mapping[str, str] | None = None,
        options: SQLTrackerStoreOptions | None = None,
    ) -> None:
        self._database = ConversationDatabase(
            options
            or SQLTrackerStoreOptions(
                dialect=dialect, url=SecretUrl(host) if host else None, port=port, db=db,
                username=username, password=Secret(password) if password else None,
                query=None if query is None else dict(query),
            )
        )  # fmt: skip
        self._slots = initial_slots(domain)
        self._stream = Stream(event_broker)
        self._streaming = threading.Lock()
        self._prepare()
        self.stream_due()

    @property
    def place(self) -> str:
        """Where the database is, in words that hold no password."""
        return self._database.place

    def get_or_create_tracker(self, sender_id: str) -> DialogueStateTracker:
        """Do as TrackerStore says."""
        return self.retrieve(sender_id) or DialogueStateTracker(sender_id, self._slots)

    def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        """Do as TrackerStore says."""
        query = (
            select(_events.c.data).where(_events.c.sender_id == sender_id).order_by(_events.c.id)
        )
        rows = self._database.transact(lambda connection: connection.scalars(query).all())
        if not rows:
            return None
        stored = [_event(data) for data in rows]
        return DialogueStateTracker.from_stored(sender_id, stored, self._slots)

    def save(self, tracker: DialogueStateTracker) -> None:
        """Do as TrackerStore says."""
        new = tracker.new_events
        if new:
            rows = [self._row(stored_event(tracker.sender_id, each)) for each in new]
            self._database.transact(partial(_add, sender_id=tracker.sender_id, rows=rows))
            tracker.forget_new(len(new))
        self.stream_due()

    def keys(self) -> list[str]:
        """Do as TrackerStore says."""
        query = select(_conversations.c.sender_id)
        return self._database.transact(lambda connection: list(connection.scalars(query)))

    def stream_due(self) -> None:
        """Do as TrackerStore says."""
        if not self._stream.is_open:
            return
        with self._streaming:
            try:
                while self._database.transact(self._stream_some):
                    pass
            except TrackerStoreError as error:
                self._stream.fail(error)

    def status(self) -> StreamStatus:
        """Do as TrackerStore says."""
        query = select(func.count()).where(_events.c.due)
        due = self._database.transact(lambda connection: connection.scalar(query))
        return self._stream.status(due or 0)

    def close(self) -> None:
        """Do as TrackerStore says."""
        self._database.close()

    def _prepare(self) -> None:
        try:
            self._database.transact(_metadata.create_all)
        except TrackerStoreError:
            # another process that makes the same tables may have been faster
            self._database.transact(_metadata.create_all)

    def _row(self, event: Event) -> dict[str, Any]:
        return {
            "sender_id": event.sender_id,
            "event_id": event.id,
            "type_name": event.type,
            "timestamp": event.timestamp,
            "data": event.body.decode(),
            "due": self._stream.is_open,
        }

    def _stream_some(self, connection: Connection) -> bool:
        """Stream the oldest events that are due; return whether there may be more."""
        due = connection.execute(
            select(_events.c.id, _events.c.event_id, _events.c.data)
            .where(_events.c.due)
            .order_by(_events.c.id)
            .limit(AT_ONCE)
            .with_for_update()
        ).all()
        if not due:
            return False
        sent = self._stream.send(
            [Event.from_dict(msgspec.json.decode(row.data), row.event_id) for row in due]
        )
        accepted = [row.id for row in due[:sent]]
        connection.execute(update(_events).where(_events.c.id.in_(accepted)).values(due=False))
        return sent > 0


def _add(connection: Connection, sender_id: str, rows: Sequence[dict[str, Any]]) -> None:
    _lock(connection, sender_id)
    ids = [row["event_id"] for row in rows]
    stored = set(connection.scalars(select(_events.c.event_id).where(_events.c.event_id.in_(ids))))
    missing = [row for row in rows if row["event_id"] not in stored]
    if missing:
        connection.execute(insert(_events), missing)


def _lock(connection: Connection, sender_id: str) -> None:
    """Let nobody else add to the conversation before this transaction ends."""
    saves = _conversations.c.saves
    mine = (
        update(_conversations)
        .where(_conversations.c.sender_id == sender_id)
        .values(saves=saves + 1)
    )
    if connection.execute(mine).rowcount:
        return
    try:
        with connection.begin_nested():
            connection.execute(insert(_conversations), {"sender_id": sender_id, "saves": 1})
    except IntegrityError:
        connection.execute(mine)  # another was faster, and has ended now


def _event(data: str) -> events.Event:
    body = msgspec.json.decode(data)
    body.pop("sender_id", None)
    return events.from_dict(body)
