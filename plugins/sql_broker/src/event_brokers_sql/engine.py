"""A database behind a section: transactions that end where they hang, failures in words.

Public: the distribution of another section that has a database may use what this module exports.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from event_brokers.plugin import ConfigurationError, EventBrokersError, watch_fork
from event_brokers_sql.address import database_url, is_in_memory, place
from event_brokers_sql.deadline import Call, Deadline
from event_brokers_sql.drivers import (
    connect_seconds,
    driver_arguments,
    first_statement,
    longest_answer,
    with_deadlines,
)
from event_brokers_sql.encryption import check_session
from event_brokers_sql.failures import NoAnswer, translate
from event_brokers_sql.handshake import find_tls_problem
from event_brokers_sql.options import DatabaseOptions
from event_brokers_sql.tls import Tls, find_tls, tls_arguments

__all__ = ["Database", "DatabaseOptions", "NoAnswer", "place"]

_LOGGING_NAME = "event_brokers"
_WITH_ISOLATION = ("postgresql", "mysql", "mariadb")


class Database:
    """A database that is connected to when it is first asked.

    Parameters:
        options: where it is, and who connects to it.
        sessions: how many there may be at once; SQLite has one.
        isolation: the level of transactions in PostgreSQL, MySQL and MariaDB, as SQLAlchemy names
            it; the database's own if None.

    Attributes:
        url: where it is.
        is_sqlite: whether it is a file, or memory, of SQLite.
        engine: makes the sessions, for listeners; `transaction` and `session` alone hand them out.

    Raises:
        ConfigurationError: a person must change something.
    """

    def __init__(
        self, options: DatabaseOptions, sessions: int = 1, isolation: str | None = None
    ) -> None:
        self.url = database_url(options)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._tls = find_tls(options, self.url)
        self.engine = _make_engine(
            self.url, self._tls, 1 if self.is_sqlite else sessions, isolation
        )
        event.listen(self.engine, "connect", partial(check_session, options=options, url=self.url))
        self._deadline = Deadline(self.engine, place(self.url), longest_answer())
        self._turn = threading.Lock()
        self._inherited: object = None
        watch_fork(self)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Hand out a transaction that is committed at the end.

        Raises:
            RejectedEvents: the database refuses a value.
            ConfigurationError: a person must change something.
            NoAnswer: not done, or not known; the database did not answer in time.
            BrokerUnavailable: not done, or not known.
        """
        with self._limit_call(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Hand out a session to look around and prepare with.

        Raises:
            ConfigurationError: a person must change something.
            BrokerUnavailable: the database cannot be reached now.
        """
        with self._limit_call(), self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Release the connections to the database."""
        self.engine.dispose()

    def before_fork(self) -> None:
        """Close SQLite's file: a child that copies it open believes to hold the parent's locks.

        https://www.sqlite.org/howtocorrupt.html, section 2.6
        """
        if not self.is_sqlite:
            return
        self._turn.acquire()
        if not is_in_memory(self.url):
            self.engine.dispose()

    def after_fork_in_parent(self) -> None:
        """Go on; the next transaction opens the file again."""
        if self.is_sqlite:
            self._turn.release()

    def after_fork_in_child(self) -> None:
        """Leave the connections to the parent, untouched and open; the child makes its own."""
        if not is_in_memory(self.url):
            self._inherited = self.engine.pool
            self.engine.dispose(close=False)
        if self.is_sqlite:
            self._turn.release()

    @contextmanager
    def _limit_call(self) -> Iterator[None]:
        """Let nothing hang, nor anybody fork amid SQLite's work; word what the database refuses."""
        turn: AbstractContextManager[object] = self._turn if self.is_sqlite else nullcontext()
        with turn, self._deadline.with_deadline() as call:
            try:
                yield
            except SQLAlchemyError as error:
                # without the statement it belongs to
                raise self._translate(error, call) from None

    def _translate(self, error: SQLAlchemyError, call: Call) -> EventBrokersError:
        if self._tls is not None and isinstance(error, DBAPIError) and not call.has_session:
            problem = find_tls_problem(error, self.url, self._tls)
            if problem is not None:
                return ConfigurationError(problem)
        return translate(error, self.url, call.is_late)


def _make_engine(url: URL, tls: Tls | None, sessions: int, isolation: str | None) -> Engine:
    own: dict[str, Any] = {}
    if isolation is not None and url.get_backend_name() in _WITH_ISOLATION:
        own["isolation_level"] = isolation
    try:
        engine = create_engine(
            with_deadlines(url),
            connect_args=driver_arguments(url) | tls_arguments(tls, url.get_driver_name()),
            # SQLite's default pools differ with the kind of file; this one serves every kind
            poolclass=sqlalchemy.QueuePool,
            pool_size=sessions,
            max_overflow=0,
            pool_timeout=connect_seconds(),
            hide_parameters=True,
            logging_name=_LOGGING_NAME,
            **own,
        )
    except ModuleNotFoundError as error:
        driver = error.name or "its driver"
        raise ConfigurationError(
            f"event_broker.dialect: '{url.drivername}' needs {driver}; install it"
        ) from error
    logging.getLogger(f"sqlalchemy.engine.Engine.{_LOGGING_NAME}").addFilter(_shows_no_row)
    statement = first_statement(url)
    if statement is not None:
        event.listen(engine, "connect", lambda session, _: _execute(session, statement))
    if url.get_backend_name() == "sqlite":
        # confirmed means on disk, whatever this SQLite was compiled to do by itself
        event.listen(
            engine, "connect", lambda session, _: session.execute("PRAGMA synchronous=FULL")
        )
    return engine


def _shows_no_row(record: logging.LogRecord) -> bool:
    # at DEBUG SQLAlchemy logs every row that it reads, whatever it was told to hide
    return record.levelno > logging.DEBUG


def _execute(session: Any, statement: str) -> None:
    with session.cursor() as cursor:
        cursor.execute(statement)
