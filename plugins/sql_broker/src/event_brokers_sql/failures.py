"""What a database's error means for delivery, in words that hold no value of any row."""

from __future__ import annotations

from sqlalchemy import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as AllInUse

from event_brokers.plugin import (
    BrokerUnavailable,
    ConfigurationError,
    EventBrokersError,
    RejectedEvents,
)
from event_brokers_sql.address import place

# MySQL's numbers: https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
_LOGIN_NUMBERS = {1044, 1045, 1698}
_DATABASE_NUMBERS = {1049}
_PERMISSION_NUMBERS = {1142, 1143, 1227, 1370}
_READ_ONLY_NUMBERS = {1290, 1792, 1836}
_TOO_LONG_NUMBER = 1406
_DATA_NUMBERS = {1264, 1366, 1292, 3988, _TOO_LONG_NUMBER}

# PostgreSQL's codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOGIN_STATES = {"28000", "28P01"}
_DATABASE_STATES = {"3D000"}
_PERMISSION_STATES = {"42501"}
_READ_ONLY_STATES = {"25006"}
_TOO_LONG_STATE = "22001"
_DATA_STATE_CLASSES = ("22", "23", "54")

_LOGIN_TEXTS = ("password authentication failed", "no password supplied", "pg_hba.conf", "role ")
_SQLITE_CONFIGURATION = {
    "attempt to write a readonly database": "is read-only; let this user write it and its folder",
    "unable to open database file": "cannot be opened; check its folder and permissions",
    "file is not a database": "is not an SQLite database; name another file",
    "no such column": "has an events table of another shape; name another table",
}


class NoAnswer(BrokerUnavailable):
    """The database did not answer in time: trying again at once would only take as long again."""


def translate(error: SQLAlchemyError, url: URL, is_late: bool) -> EventBrokersError:
    """Return the error that tells the core what to do, for an error of the database.

    Parameters:
        error: what SQLAlchemy raised.
        url: the database's URL.
        is_late: whether the time was over in which the database must answer.
    """
    if isinstance(error, AllInUse):
        return NoAnswer(f"every session with {place(url)} is in use")
    if not isinstance(error, DBAPIError):
        return BrokerUnavailable(f"{place(url)}: {type(error).__name__}")
    configuration = _word_configuration(error, url)
    if configuration is not None:
        return ConfigurationError(configuration)
    if _is_about_data(error):
        return RejectedEvents({}, _word_refused_value(error))
    if is_late:
        return NoAnswer(f"{place(url)} did not answer in time")
    return _word_unavailable(error, url)


def may_not_alter(error: SQLAlchemyError) -> bool:
    """Return whether the database refused for want of a permission."""
    if not isinstance(error, DBAPIError):
        return False
    return _state(error) in _PERMISSION_STATES or _number(error) in _PERMISSION_NUMBERS


def _word_configuration(error: DBAPIError, url: URL) -> str | None:
    text, state, number = str(error.orig), _state(error), _number(error)
    if url.get_backend_name() == "sqlite":
        return next(
            (
                f"event_broker.db: {place(url)} {wrong}"
                for part, wrong in _SQLITE_CONFIGURATION.items()
                if part in text
            ),
            None,
        )
    database = f"'{url.database}'"
    if (not state and "database" in text and "does not exist" in text) or (
        state in _DATABASE_STATES or number in _DATABASE_NUMBERS
    ):
        return f"event_broker.db: {place(url)} has no database {database}; create it"
    if "requires a valid client certificate" in text:
        return f"event_broker.ssl_certfile: missing; '{place(url)}' asks for a client certificate"
    if state in _LOGIN_STATES or number in _LOGIN_NUMBERS or _is_login_text(text, state):
        return (
            f"event_broker.password: {place(url)} refuses the user '{url.username}'; "
            "check username and password"
        )
    if may_not_alter(error):
        return (
            f"event_broker.username: the user '{url.username}' lacks a permission on {database}; "
            "grant it to create, alter, select, insert and, in MySQL, update"
        )
    if state in _READ_ONLY_STATES or number in _READ_ONLY_NUMBERS:
        return f"event_broker.db: {database} at {place(url)} is read-only; name a writable server"
    return None


def _is_login_text(text: str, state: str) -> bool:
    # psycopg gives no code for what fails before the session has begun
    return not state and any(part in text for part in _LOGIN_TEXTS)


def _is_about_data(error: DBAPIError) -> bool:
    if isinstance(error, (DataError, IntegrityError)):
        return True
    return _state(error).startswith(_DATA_STATE_CLASSES) or _number(error) in _DATA_NUMBERS


def _word_refused_value(error: DBAPIError) -> str:
    if _number(error) == _TOO_LONG_NUMBER or _state(error) == _TOO_LONG_STATE:
        return f"a value is longer than its column takes{_code(error)}; widen the column"
    return f"the database refuses a value{_code(error)}"


def _word_unavailable(error: DBAPIError, url: URL) -> BrokerUnavailable:
    text = str(error.orig)
    if "refused" in text.casefold() or "Errno 111" in text:
        return BrokerUnavailable(f"{place(url)} refused the connection")
    if any(part in text for part in ("resolve", "Name or service", "Temporary failure in name")):
        return BrokerUnavailable(f"no address found for host '{url.host}'")
    if "timeout" in text.casefold() or "timed out" in text.casefold():
        return NoAnswer(f"{place(url)} did not answer in time{_code(error)}")
    if "database is locked" in text:
        return NoAnswer(f"{place(url)}: {text}")
    if url.get_backend_name() == "sqlite":
        return BrokerUnavailable(f"{place(url)}: {text}")
    return BrokerUnavailable(f"{place(url)}: {type(error.orig).__name__}{_code(error)}")


def _code(error: DBAPIError) -> str:
    code = _state(error) or _number(error)
    return f" ({code})" if code else ""


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _number(error: DBAPIError) -> int:
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0
