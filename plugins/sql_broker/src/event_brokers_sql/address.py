"""Where a database is: from options to SQLAlchemy's URL, and to words."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from event_brokers.plugin import ConfigurationError
from event_brokers.plugin.network import Address
from event_brokers_sql.options import DatabaseOptions, split_port

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
_EXTRAS = {"psycopg": "postgresql", "pymysql": "mysql"}


def database_url(options: DatabaseOptions) -> URL:
    """Return the URL of the database.

    Raises:
        ConfigurationError: the URL cannot be read, the driver is not installed, or the folder of
            an SQLite file does not exist.
    """
    given = options.server
    url = _read_url(given) if given and "://" in given else _compose_url(options, given)
    _require_driver(url)
    _require_folder(url)
    return url


def address_of(url: URL) -> Address:
    """Return where the server listens; port 0 where neither URL nor dialect says which."""
    default = _PORTS.get(url.get_backend_name(), 0)
    return Address(url.host or "localhost", url.port or default)


def place(url: URL) -> str:
    """Return where the database is, in words that hold no password."""
    if url.get_backend_name() == "sqlite":
        return f"'{url.database or ':memory:'}'"
    address = address_of(url)
    return str(address) if address.port else address.host


def database_file(url: URL) -> Path | None:
    """Return the file of an SQLite database; None for others, and where a URI names it."""
    database = url.database or ":memory:"
    if url.get_backend_name() != "sqlite" or database.startswith((":memory:", "file:")):
        return None
    return Path(database)


def is_in_memory(url: URL) -> bool:
    """Return whether it is a database of SQLite that is gone once it is closed."""
    if url.get_backend_name() != "sqlite":
        return False
    return url.database in (None, "", ":memory:") or "mode=memory" in str(url.database)


def _read_url(given: str) -> URL:
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        # the library's sentence shows the URL, which may hold a password
        raise ConfigurationError(
            "event_broker.url: not a URL that SQLAlchemy can read; "
            "write dialect://user:password@host:port/database"
        ) from None
    return url.set(drivername=_DRIVERS.get(url.drivername.casefold(), url.drivername))


def _compose_url(options: DatabaseOptions, host: str | None) -> URL:
    dialect = options.dialect.casefold()
    drivername = _DRIVERS.get(dialect, dialect)
    if drivername.partition("+")[0] == "sqlite":
        return URL.create(drivername, database=options.db, query=options.query or {})
    name, port = split_port(host or "localhost")
    return URL.create(
        drivername,
        username=options.username,
        password=options.password.reveal() if options.password else None,
        host=name,
        port=port or options.port,
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


def _require_folder(url: URL) -> None:
    file = database_file(url)
    if file is not None and not file.parent.is_dir():
        raise ConfigurationError(
            f"event_broker.db: the folder '{file.parent}' does not exist; make it first"
        )
