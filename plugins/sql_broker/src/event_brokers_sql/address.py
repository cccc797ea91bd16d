"""From options to SQLAlchemy's URL and the driver's own arguments."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from event_brokers import ConfigurationError
from event_brokers_sql.options import SQLOptions

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_EXTRAS = {"psycopg": "postgresql", "pymysql": "mysql"}
_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 20


def database_url(options: SQLOptions) -> URL:
    """Return the URL of the database.

    Raises:
        ConfigurationError: the URL cannot be read, or the driver is not installed.
    """
    given = options.url.reveal() if options.url else None
    url = _full_url(given) if given and "://" in given else _url(options, given)
    _require_driver(url)
    return url


def driver_arguments(url: URL) -> dict[str, Any]:
    """Return what the driver is told beside the URL: deadlines, so that nothing hangs for ever.

    A session whose network has gone away amid a transaction holds its locks until the server
    notices, and its successor waits for them: so the server is told not to wait long.
    """
    if url.get_backend_name() == "sqlite":
        return {"timeout": _CONNECT_SECONDS}
    if url.get_driver_name() == "psycopg":
        milliseconds = _ANSWER_SECONDS * 1000
        server = {
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
            "tcp_keepalives_idle": _ANSWER_SECONDS,
            "tcp_keepalives_interval": _ANSWER_SECONDS // 4,
            "tcp_keepalives_count": 3,
        }
        return {
            "connect_timeout": _CONNECT_SECONDS,
            "tcp_user_timeout": milliseconds,
            "options": " ".join(f"-c {name}={value}" for name, value in server.items()),
        }
    if url.get_driver_name() == "pymysql":
        # the comment is one for MySQL, and a part of the statement for MariaDB
        return {
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": longest_answer(),
            "write_timeout": longest_answer(),
            "init_command": f"SET SESSION innodb_lock_wait_timeout={_ANSWER_SECONDS} "
            f"/*M!100300 , SESSION idle_transaction_timeout={_ANSWER_SECONDS} */",
        }
    return {}


def longest_answer() -> float:
    """Return the seconds after which the server's own deadlines must have ended a call."""
    return _ANSWER_SECONDS + 5.0


def place(url: URL) -> str:
    """Return where the database is, in words that hold no password."""
    if url.get_backend_name() == "sqlite":
        return f"'{url.database or ':memory:'}'"
    return f"{url.host or 'localhost'}" + (f":{url.port}" if url.port else "")


def database_file(url: URL) -> Path | None:
    """Return the file of an SQLite database; None for others, and where a URI names it."""
    database = url.database or ":memory:"
    if url.get_backend_name() != "sqlite" or database.startswith((":memory:", "file:")):
        return None
    return Path(database)


def _full_url(given: str) -> URL:
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        # the library's sentence shows the URL, which may hold a password
        raise ConfigurationError(
            "event_broker.url: not a URL that SQLAlchemy can read; "
            "write dialect://user:password@host:port/database"
        ) from None
    return url.set(drivername=_DRIVERS.get(url.drivername.casefold(), url.drivername))


def _url(options: SQLOptions, host: str | None) -> URL:
    dialect = options.dialect.casefold()
    drivername = _DRIVERS.get(dialect, dialect)
    if drivername.partition("+")[0] == "sqlite":
        return URL.create(drivername, database=options.db, query=options.query or {})
    return URL.create(
        drivername,
        username=options.username,
        password=options.password.reveal() if options.password else None,
        host=host or options.host or "localhost",
        port=options.port,
        database=options.db,
        query=options.query or {},
    )


def _require_driver(url: URL) -> None:
    try:
        dialect = url.get_dialect()
    except Exception as error:
        raise ConfigurationError(
            f"event_broker.dialect: SQLAlchemy knows no '{url.drivername}'; "
            "give sqlite, postgresql, mysql or mariadb, or install its dialect"
        ) from error
    if getattr(dialect, "is_async", False):
        raise ConfigurationError(
            f"event_broker.dialect: '{url.drivername}' is an asyncio driver; "
            f"give '{url.get_backend_name()}'"
        )
    driver = url.get_driver_name()
    if driver in _EXTRAS and importlib.util.find_spec(driver) is None:
        raise ConfigurationError(
            f"event_broker.dialect: '{url.get_backend_name()}' needs {driver}; "
            f'pip install "event-brokers-sql[{_EXTRAS[driver]}]"'
        )
