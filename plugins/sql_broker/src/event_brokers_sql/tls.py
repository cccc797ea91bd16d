"""TLS of a database: as our options ask for it, or as the driver's own do."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from event_brokers.plugin import ConfigurationError, Secret
from event_brokers.plugin.tls import TlsOptions, client_context, handshake_problem
from event_brokers_sql.options import DatabaseOptions

_SECTION = "event_broker."
_ASKING = ("ssl_cafile", "ssl_certfile", "require_tls")  # our options that ask for TLS
# what the drivers call our options
_IN_LIBPQ = {
    "ssl_cafile": "sslrootcert",
    "ssl_certfile": "sslcert",
    "ssl_keyfile": "sslkey",
    "ssl_password": "sslpassword",
    "ssl_check_hostname": "sslmode",
}
_IN_PYMYSQL = {
    "ssl_cafile": "ssl_ca",
    "ssl_certfile": "ssl_cert",
    "ssl_keyfile": "ssl_key",
    "ssl_password": "ssl_key_password",
    "ssl_check_hostname": "ssl_check_hostname",
}
_OWN_NAMES = {"psycopg": _IN_LIBPQ, "pymysql": _IN_PYMYSQL}
_ASKING_MODES = ("require", "verify-ca", "verify-full")
_LIBPQ_ROOTS = "~/.postgresql/root.crt"
_FIRST_PYMYSQL = (1, 2)  # an earlier one goes on without TLS where the server offers none


@dataclass(frozen=True)
class Tls:
    """TLS that somebody asked for.

    Attributes:
        options: which files to use.
        asked_by: the option that asks for it.
        verifies: whether the server's certificate is verified.
        names: our option -> the driver's, where that one was written.
    """

    options: TlsOptions
    asked_by: str
    verifies: bool = True
    names: Mapping[str, str] = field(default_factory=dict)

    def make_context(self) -> ssl.SSLContext:
        """Return a context that verifies as much as was asked for.

        Raises:
            ConfigurationError: a file is missing or is not what it should be.
        """
        if self.verifies:
            return client_context(self.options)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def check_files(self, driver: str) -> None:
        """Refuse files with which the driver would fail in words of its own.

        Parameters:
            driver: as SQLAlchemy names it.

        Raises:
            ConfigurationError: a file is missing or is not what it should be.
        """
        try:
            self.make_context()
            if driver == "psycopg":
                _require_private(self.options)
        except ConfigurationError as error:
            raise ConfigurationError(self._rename(str(error))) from error.__cause__

    def find_problem(self, error: BaseException, server: str) -> str | None:
        """Return what a person must change where a handshake failed; None where none did.

        Parameters:
            error: as it was caught.
            server: where it is, in words.
        """
        sentence = handshake_problem(error, server, self.options)
        return None if sentence is None else self._rename(sentence)

    def word_absence(self, server: str) -> str:
        """Return what a person must change where the server offers no TLS."""
        return (
            f"{_SECTION}{self.asked_by}: '{server}' does not speak TLS; "
            "turn it on there, or take TLS out"
        )

    def _rename(self, sentence: str) -> str:
        option, colon, text = sentence.removeprefix(_SECTION).partition(":")
        own = self.names.get(option)
        return sentence if own is None else f"{_SECTION}query.{own}{colon}{text}"


def find_tls(options: DatabaseOptions, url: URL) -> Tls | None:
    """Return the TLS that the options ask for; None where they ask for none.

    Raises:
        ConfigurationError: they ask for it twice, or of a driver that is not known, or a file is
            missing or is not what it should be.
    """
    driver = url.get_driver_name()
    asking = [name for name in _ASKING if getattr(options, name)]
    tls = _find_own(url, driver)
    if asking:
        _require_driver(asking[0], url, driver)
        _refuse_both(asking[0], url, driver)
        tls = Tls(options, asking[0])
    if tls is not None:
        tls.check_files(driver)
    return tls


def tls_arguments(tls: Tls | None, driver: str) -> dict[str, Any]:
    """Return what the driver is told; nothing where the user has told it.

    Parameters:
        tls: that was asked for.
        driver: as SQLAlchemy names it.

    Raises:
        ConfigurationError: the driver cannot find the system's authorities.
    """
    if tls is None or tls.names:
        return {}
    if driver == "pymysql":
        return {"ssl": tls.make_context()}
    options = tls.options
    arguments = {
        "sslmode": "verify-full" if options.ssl_check_hostname else "verify-ca",
        "sslrootcert": options.ssl_cafile or _find_system_authorities(),
    }
    client = {
        "sslcert": options.ssl_certfile,
        "sslkey": options.ssl_keyfile or options.ssl_certfile,
        "sslpassword": options.ssl_password.reveal() if options.ssl_password else None,
    }
    return arguments | {name: value for name, value in client.items() if value is not None}


def _find_own(url: URL, driver: str) -> Tls | None:
    """Return the TLS that the driver's own options ask for."""
    query = {name: value for name, value in url.query.items() if isinstance(value, str)}
    if driver == "psycopg" and query.get("sslmode") in _ASKING_MODES:
        return _find_libpqs(query)
    written = _find_written(_IN_PYMYSQL, query)
    if driver == "pymysql" and written:
        return Tls(
            _make_equivalent(query, _IN_PYMYSQL, query.get("ssl_check_hostname") != "false"),
            f"query.{_IN_PYMYSQL[written[0]]}",
            verifies="ssl_ca" in query,
            names=_IN_PYMYSQL,
        )
    return None


def _find_libpqs(query: Mapping[str, str]) -> Tls:
    mode, roots = query["sslmode"], query.get("sslrootcert")
    given = {**query, "sslrootcert": roots or str(Path(_LIBPQ_ROOTS).expanduser())}
    if roots == "system":
        del given["sslrootcert"]
    # with a file of authorities `require` means `verify-ca`
    verifies = mode != "require" or Path(given.get("sslrootcert", "")).is_file()
    return Tls(
        _make_equivalent(given, _IN_LIBPQ, mode == "verify-full"),
        "query.sslmode",
        verifies,
        _IN_LIBPQ,
    )


def _make_equivalent(
    query: Mapping[str, str], names: Mapping[str, str], check_hostname: bool
) -> TlsOptions:
    """Return our options that say what the driver's own say."""
    password = query.get(names["ssl_password"])
    return TlsOptions(
        ssl_cafile=query.get(names["ssl_cafile"]),
        ssl_certfile=query.get(names["ssl_certfile"]),
        ssl_keyfile=query.get(names["ssl_keyfile"]),
        ssl_password=None if password is None else Secret(password),
        ssl_check_hostname=check_hostname,
    )


def _find_written(names: Mapping[str, str], query: Mapping[str, Any]) -> list[str]:
    """Return our options that the driver's own say."""
    return [option for option, own in names.items() if own in query]


def _refuse_both(asking: str, url: URL, driver: str) -> None:
    written = _find_written(_OWN_NAMES[driver], url.query)
    if written:
        own = _OWN_NAMES[driver][written[0]]
        raise ConfigurationError(
            f"{_SECTION}query.{own}: says how TLS is made, and so does '{asking}'; "
            "give ssl_cafile, ssl_certfile and ssl_keyfile alone"
        )


def _require_driver(asking: str, url: URL, driver: str) -> None:
    if url.get_backend_name() == "sqlite":
        raise ConfigurationError(
            f"{_SECTION}{asking}: has no effect, for SQLite is a file; take it out"
        )
    if driver not in _OWN_NAMES:
        raise ConfigurationError(
            f"{_SECTION}{asking}: nothing is known of TLS with '{url.drivername}'; "
            "give the driver's own options as 'query'"
        )
    if driver == "pymysql":
        _require_pymysql(asking)


def _require_pymysql(asking: str) -> None:
    import pymysql  # noqa: PLC0415 - installed with its extra alone

    if pymysql.VERSION[:2] < _FIRST_PYMYSQL:
        raise ConfigurationError(
            f"{_SECTION}{asking}: PyMySQL {pymysql.VERSION_STRING} goes on without TLS where a "
            'server offers none; pip install "PyMySQL>=1.2"'
        )


def _find_system_authorities() -> str:
    # libpq reads a file, and the one in psycopg's wheels does not know where the system has its own
    file = ssl.get_default_verify_paths().cafile
    if file is None:
        raise ConfigurationError(
            f"{_SECTION}ssl_cafile: missing; the system has no file of the authorities that it "
            "trusts where OpenSSL looks for one; give such a file"
        )
    return file


def _require_private(options: TlsOptions) -> None:
    """Refuse a key that libpq would: https://www.postgresql.org/docs/current/libpq-ssl.html."""
    option = "ssl_keyfile" if options.ssl_keyfile else "ssl_certfile"
    file = options.ssl_keyfile or options.ssl_certfile
    if file is None:
        return
    found = Path(file).stat()
    forbidden = 0o037 if found.st_uid == 0 else 0o077
    if found.st_mode & forbidden:
        raise ConfigurationError(
            f"{_SECTION}{option}: others may read the key in '{file}', and PostgreSQL's client "
            "refuses it; chmod 600"
        )
