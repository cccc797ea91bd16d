"""The options of `type: sql`, and those that every section with a database has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

from msgspec import Meta

from event_brokers.plugin import Secret, SecretUrl
from event_brokers.plugin.tls import TlsOptions
from event_brokers.plugin.without_effect import HTTP_ENDPOINT

_HOST_AND_PORT = re.compile(r"(?:\[([^\]]+)\]|([^:/\[\]]+))(?::(\d{1,5}))?")
_MOST_PORTS = 65535


def split_port(host: str) -> tuple[str, int | None]:
    """Return the name and the port of host:port; None where there is no port.

    Parameters:
        host: a name or an address; one of IPv6 is in brackets where a port is behind it.

    Raises:
        ValueError: the port is none.
    """
    found = _HOST_AND_PORT.fullmatch(host)
    if found is None:
        return host, None
    port = int(found[3]) if found[3] else None
    if port is not None and not 1 <= port <= _MOST_PORTS:
        raise ValueError(f"the port is not a whole number from 1 to {_MOST_PORTS}")
    return found[1] or found[2], port


class DatabaseOptions(TlsOptions, frozen=True, kw_only=True):
    """Where a database is, and who connects to it."""

    superseded: ClassVar[Mapping[str, str]] = HTTP_ENDPOINT
    refuses_empty: ClassVar[Mapping[str, str | None]] = {
        **TlsOptions.refuses_empty,
        "password": "username",
    }

    dialect: Annotated[
        str, Meta(description="sqlite, postgresql, mysql, mariadb, or another of SQLAlchemy's")
    ] = "sqlite"
    url: Annotated[
        SecretUrl | None,
        Meta(description="host, host:port, or a full SQLAlchemy URL instead of the others"),
    ] = None
    host: Annotated[SecretUrl | None, Meta(description="the same as 'url'")] = None
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        Meta(description="port, unless it is the database's own"),
    ] = None
    db: Annotated[str, Meta(description="name of the database; for SQLite its file")] = "events.db"
    username: Annotated[str | None, Meta(description="user of the database")] = None
    password: Annotated[Secret | None, Meta(description="the user's password")] = None
    query: Annotated[
        dict[str, str] | None, Meta(description="options of the database's driver")
    ] = None

    @property
    def server(self) -> str | None:
        """The server's host, or a full URL; None where neither is given."""
        given = self.url or self.host
        return given.reveal() if given else None

    @property
    def given_as(self) -> str:
        """The option that names the server."""
        return "url" if self.url else "host"

    def __post_init__(self) -> None:
        """Refuse two hosts, a port that is none, and half a client certificate.

        Raises:
            ValueError: `url` and `host` are both given; the port behind it is none; a key or its
                password is given, and no certificate.
        """
        self.refuse_key_without_certificate()
        if self.url is not None and self.host is not None:
            raise ValueError("host: 'url' names the host already; give one of them")
        try:
            split_port(self.server or "")
        except ValueError as error:
            raise ValueError(f"{self.given_as}: {error}") from error

    def warnings(self) -> Iterable[str]:
        """Return what has no effect: a port beside another one, as in Rasa."""
        _, port = split_port(self.server or "")
        if None not in (port, self.port) and port != self.port:
            yield f"port: has no effect, for '{self.given_as}' says {port}; give one"


class SQLOptions(DatabaseOptions, frozen=True, kw_only=True):
    """The options of `type: sql`."""

    place: ClassVar[tuple[str, ...]] = ("dialect", "url", "host", "port", "db", "table")

    table: Annotated[str, Meta(min_length=1, description="the table; made where it is missing")] = (
        "events"
    )
