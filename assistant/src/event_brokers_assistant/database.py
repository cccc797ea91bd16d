"""The database of the conversations: its URL, its engine, and its errors in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from event_brokers import ConfigurationError
from event_brokers_assistant.errors import TrackerStoreError

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_EXTRAS = {"psycopg": "postgresql", "pymysql": "mysql"}
_SECONDS = 10


def database_url(  # noqa: PLR0913 - what Rasa's tracker store is given
    *,
    dialect: str,
    host: str | None,
    port: int | None,
    db: str,
    username: str | None,
    password: str | None,
    query: Mapping[str, str] | None,
) -> URL:
    """Return the URL of the database.

    Parameters:
        dialect: as SQLAlchemy names it.
        host: of the server, or a whole URL in place of all the others.
        port: of the server; the database's own if None.
        db: the database; for SQLite its file.
        username: the user.
        password: the user's password.
        query: options of the driver.

    Raises:
        ConfigurationError: `host` holds a URL that cannot be read.
    """
    if host and "://" in host:
        return _full_url(host)
    drivername = _DRIVERS.get(dialect.casefold(), dialect.casefold())
    if drivername.partition("+")[0] == "sqlite":
        return URL.create(drivername, database=db, query=query or {})
    name, colon, behind = (host or "localhost").partition(":")
    return URL.create(
        drivername,
        username=username,
        password=password,
        host=name,
        port=int(behind) if colon and behind.isdigit() else port,
        database=db,
        query=query or {},
    )


def engine_for(url: URL) -> Engine:
    """Return what makes the connections; nothing is connected yet.

    Raises:
        ConfigurationError: SQLAlchemy does not know the dialect, or its driver is missing.
    """
    try:
        engine = create_engine(url, pool_pre_ping=True, hide_parameters=True, **_settings(url))
    except ModuleNotFoundError as error:
        driver = error.name or "its driver"
        extra = _EXTRAS.get(driver)
        way_out = f'pip install "event-brokers-assistant[{extra}]"' if extra else "install it"
        raise ConfigurationError(
            f"tracker_store.dialect: '{url.get_backend_name()}' needs {driver}; {way_out}"
        ) from error
    except SQLAlchemyError as error:
        raise ConfigurationError(
            f"tracker_store.dialect: SQLAlchemy knows no '{url.drivername}'; "
            "give sqlite, postgresql, mysql or mariadb"
        ) from error
    if url.get_backend_name() == "sqlite":
        _require_folder(url)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def told(url: URL) -> Iterator[None]:
    """Raise what an error of the database means, without the statement it belongs to.

    Raises:
        TrackerStoreError: the database does not do what it was asked for.
    """
    try:
        yield
    except OperationalError as error:
        text = str(error.orig).strip().partition("\n")[0]
        raise TrackerStoreError(f"tracker_store: {place(url)}: {text}") from None
    except DBAPIError as error:
        # its text may hold what somebody said
        raise TrackerStoreError(
            f"tracker_store: {place(url)}: {type(error.orig).__name__}"
        ) from None
    except SQLAlchemyError as error:
        raise TrackerStoreError(f"tracker_store: {place(url)}: {type(error).__name__}") from None


def place(url: URL) -> str:
    """Return where the database is, in words that hold no password."""
    if url.get_backend_name() == "sqlite":
        return f"'{url.database or ':memory:'}'"
    return f"{url.host or 'localhost'}" + (f":{url.port}" if url.port else "")


def _full_url(given: str) -> URL:
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        # the library's sentence shows the URL, which may hold a password
        raise ConfigurationError(
            "tracker_store.url: not a URL that SQLAlchemy can read; "
            "write dialect://user:password@host:port/database"
        ) from None
    return url.set(drivername=_DRIVERS.get(url.drivername.casefold(), url.drivername))


def _settings(url: URL) -> dict[str, Any]:
    match url.get_backend_name():
        case "sqlite":
            # every connection to a database in memory would have one of its own
            own = {"pool_size": 1, "max_overflow": 0} if url.database in (None, ":memory:") else {}
            return {"connect_args": {"timeout": _SECONDS, "check_same_thread": False}, **own}
        case "postgresql":
            return {
                "connect_args": {"connect_timeout": _SECONDS},
                "isolation_level": "READ COMMITTED",
            }
        case "mysql" | "mariadb":
            # without the locks on gaps of REPEATABLE READ, in which savers wait for each other
            return {
                "connect_args": {"connect_timeout": _SECONDS},
                "isolation_level": "READ COMMITTED",
            }
        case _:
            return {}


def _require_folder(url: URL) -> None:
    database = url.database or ":memory:"
    if database.startswith((":memory:", "file:")):
        return
    folder = Path(database).parent
    if not folder.is_dir():
        raise ConfigurationError(
            f"tracker_store.db: the folder '{folder}' does not exist; make it first"
        )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # sqlite3 leaves it to us to begin
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_sqlite(connection: Connection) -> None:
    # a transaction that reads first and writes then could not wait for another's end
    connection.exec_driver_sql("BEGIN IMMEDIATE")
