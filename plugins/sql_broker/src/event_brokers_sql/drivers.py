"""What each driver is told beside the URL, so that no session waits for ever."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL

_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 20


def connect_seconds() -> float:
    """Return the seconds that a connection may take."""
    return float(_CONNECT_SECONDS)


def longest_answer() -> float:
    """Return the seconds after which the server's own deadlines must have ended a call."""
    return _ANSWER_SECONDS + 5.0


def driver_arguments(url: URL) -> dict[str, Any]:
    """Return what the driver is told beside the URL; what the URL itself says is left to it.

    A session whose network has gone away amid a transaction holds its locks until the server
    notices, and its successor waits for them: so the server is told not to wait long.
    """
    arguments = _deadlines(url)
    return {name: value for name, value in arguments.items() if name not in url.query}


def first_statement(url: URL) -> str | None:
    """Return what is executed first in every session; None where there is nothing to say."""
    if url.get_driver_name() != "pymysql":
        return None
    # the comment is one for MySQL, and a part of the statement for MariaDB
    return (
        f"SET SESSION innodb_lock_wait_timeout={_ANSWER_SECONDS} "
        f"/*M!100300 , SESSION idle_transaction_timeout={_ANSWER_SECONDS} */"
    )


def with_deadlines(url: URL) -> URL:
    """Return the URL with the deadlines of a PostgreSQL server before the user's own settings."""
    if url.get_driver_name() != "psycopg":
        return url
    milliseconds = _ANSWER_SECONDS * 1000
    server = {
        "statement_timeout": milliseconds,
        "lock_timeout": milliseconds,
        "idle_in_transaction_session_timeout": milliseconds,
        "tcp_keepalives_idle": _ANSWER_SECONDS,
        "tcp_keepalives_interval": _ANSWER_SECONDS // 4,
        "tcp_keepalives_count": 3,
    }
    ours = " ".join(f"-c {name}={value}" for name, value in server.items())
    return url.update_query_dict({"options": f"{ours} {_text(url.query.get('options'))}".strip()})


def _deadlines(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        # any thread may use a session, one at a time
        return {"timeout": _CONNECT_SECONDS, "check_same_thread": False}
    if url.get_driver_name() == "psycopg":
        return {"connect_timeout": _CONNECT_SECONDS, "tcp_user_timeout": _ANSWER_SECONDS * 1000}
    if url.get_driver_name() == "pymysql":
        return {
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": longest_answer(),
            "write_timeout": longest_answer(),
        }
    return {}


def _text(value: str | tuple[str, ...] | None) -> str:
    return " ".join(value) if isinstance(value, tuple) else value or ""
