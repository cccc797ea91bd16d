"""Whether a session is encrypted, and what follows where it is not."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL

from event_brokers.plugin import ConfigurationError
from event_brokers.plugin.network import Address
from event_brokers.plugin.tls import refuse_plain_text, warn_of_plain_password
from event_brokers_sql.address import address_of
from event_brokers_sql.options import DatabaseOptions

_TYPE = "sql"
_WAY_OUT = "give ssl_cafile"


def is_encrypted(session: Any, driver: str) -> bool:
    """Return whether a session has TLS, where that is known.

    Parameters:
        session: of the driver.
        driver: as SQLAlchemy names it.
    """
    if driver == "psycopg":
        return bool(session.pgconn.ssl_in_use)
    if driver != "pymysql":
        return False
    with session.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        _, cipher = cursor.fetchone()
    return bool(cipher)


def check_session(session: Any, _record: object, *, options: DatabaseOptions, url: URL) -> None:
    """Warn of a password that went over plain text, or refuse the session.

    Parameters:
        session: of the driver, new.
        options: of the database.
        url: of the database.

    Raises:
        ConfigurationError: `require_tls` is set, and the session has no TLS.
    """
    if url.get_driver_name() == "psycopg":
        _check_psycopg(session, options)
    if url.get_driver_name() == "pymysql" and url.password:
        _check_pymysql(session, url)


def _check_psycopg(session: Any, options: DatabaseOptions) -> None:
    if is_encrypted(session, "psycopg"):
        return
    host = session.info.host
    try:
        refuse_plain_text(options, host, "give a host in place of the socket")
    except ConfigurationError:
        session.close()
        raise
    if session.pgconn.used_password and not host.startswith("/"):
        warn_of_plain_password(_TYPE, Address(host, session.info.port), _WAY_OUT)


def _check_pymysql(session: Any, url: URL) -> None:
    address = address_of(url)
    if address.is_loopback or "unix_socket" in url.query:
        return
    if not is_encrypted(session, "pymysql"):
        warn_of_plain_password(_TYPE, address, _WAY_OUT)
