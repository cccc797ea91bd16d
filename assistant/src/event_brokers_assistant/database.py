"""The database of the conversations: its options, its transactions, and its errors in words.

It stands on the engine of event-brokers-sql, which comes with `event-brokers-assistant[sql]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, TypeVar

from msgspec import Meta
from sqlalchemy import Connection, event

from event_brokers import BrokerUnavailable, ConfigurationError, RejectedEvents
from event_brokers_assistant.errors import TrackerStoreError
from event_brokers_sql import engine

_ATTEMPTS = 3  # where two savers wait for each other, the database ends one of them
_SESSIONS = 10
_ENGINES_SECTION, _SECTION = "event_broker.", "tracker_store"

_Answer = TypeVar("_Answer")


class SQLTrackerStoreOptions(engine.DatabaseOptions, frozen=True, kw_only=True):
    """The options of `type: SQL` in the section `tracker_store`, named as in Rasa."""

    superseded: ClassVar[Mapping[str, str]] = {
        "login_db": "has no effect; make the database that 'db' names first",
    }

    db: Annotated[str, Meta(description="name of the database; for SQLite its file")] = "tracker.db"


class ConversationDatabase:
    """Does things in transactions; safe to use from any thread.

    Parameters:
        options: where the database is, and who connects to it.

    Raises:
        ConfigurationError: an option is wrong, or the driver is missing.
    """

    def __init__(self, options: SQLTrackerStoreOptions) -> None:
        try:
            # without the locks on gaps of REPEATABLE READ, in which savers wait for each other
            self._database = engine.Database(options, _SESSIONS, isolation="READ COMMITTED")
        except ConfigurationError as error:
            raise ConfigurationError(_name_section(error)) from error.__cause__
        if self._database.is_sqlite:
            event.listen(self._database.engine, "connect", _prepare_sqlite)
            event.listen(self._database.engine, "begin", _begin_sqlite)

    @property
    def place(self) -> str:
        """Where the database is, in words that hold no password."""
        return engine.place(self._database.url)

    def transact(self, work: Callable[[Connection], _Answer]) -> _Answer:
        """Do something in one transaction, again where the database ended it for no fault of ours.

        Whatever is done here may be done twice: an event that is stored already is left alone.

        Parameters:
            work: what to do; called once for each attempt.

        Raises:
            TrackerStoreError: the database does not do what it was asked for.
        """
        with _translate_errors():
            for _ in range(_ATTEMPTS - 1):
                try:
                    with self._database.transaction() as connection:
                        return work(connection)
                except engine.NoAnswer:
                    raise  # whoever waits for this conversation has waited long enough
                except BrokerUnavailable:
                    continue
            with self._database.transaction() as connection:
                return work(connection)

    def close(self) -> None:
        """Release the connections to the database."""
        self._database.close()


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except (BrokerUnavailable, ConfigurationError, RejectedEvents) as error:
        raise TrackerStoreError(_name_section(error)) from None


def _name_section(error: Exception) -> str:
    """Return the engine's sentence with the section of the tracker store in place of its own."""
    sentence = str(error)
    if sentence.startswith(_ENGINES_SECTION):
        return f"{_SECTION}.{sentence.removeprefix(_ENGINES_SECTION)}"
    return f"{_SECTION}: {sentence}"


def _prepare_sqlite(session: Any, _record: Any) -> None:
    session.isolation_level = None  # sqlite3 leaves it to us to begin
    session.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    # a transaction that reads first and writes then could not wait for another's end
    connection.exec_driver_sql("BEGIN IMMEDIATE")
