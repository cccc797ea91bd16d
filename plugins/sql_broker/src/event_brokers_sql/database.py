"""The database behind a section: sessions that end where they hang, errors in words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from event_brokers import BrokerUnavailable, ConfigurationError, fork
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


class Database:
    """A database that is connected to when it is first asked.

    Parameters:
        options: the options of `type: sql`.

    Attributes:
        url: where it is.

    Raises:
        ConfigurationError: a person must change something.
    """

    def __init__(self, options: SQLOptions) -> None:
        self.url = database_url(options)
        _require_folder(self.url)
        self._engine = _engine(self.url)
        self._deadline = Deadline(self._engine, longest_answer())
        self._turn = threading.Lock()
        if self.url.get_backend_name() == "sqlite":
            fork.watch(self)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Hand out a transaction that is committed at the end.

        Raises:
            RejectedEvents: the database refuses a value.
            ConfigurationError: a person must change something.
            BrokerUnavailable: not done, or not known.
        """
        with self._session(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def first_session(self) -> Iterator[Connection]:
        """Hand out a session to look around and prepare with; ends those that were given up.

        Raises:
            ConfigurationError: a person must change something.
            BrokerUnavailable: the database cannot be reached now.
        """
        with self._session(), self._engine.connect() as connection:
            end_given_up(connection)
            yield connection

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
        """Go on; the next transaction opens the file again."""
        self._turn.release()

    def after_fork_in_child(self) -> None:
        """Do nothing: the child has a connection of its own."""

    @contextmanager
    def _session(self) -> Iterator[None]:
        """Let nobody fork, and nothing hang, meanwhile; word what the database refuses."""
        try:
            with self._turn, _told(self.url), self._deadline.kept():
                yield
        except BrokerUnavailable:
            self._deadline.give_up()
            if self._deadline.has_passed:
                raise BrokerUnavailable(f"{place(self.url)} did not answer in time") from None
            raise


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
