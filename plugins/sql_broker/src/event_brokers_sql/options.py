"""The options of `type: sql`, and those that every section with a database has."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from msgspec import Meta

from event_brokers.plugin import Secret, SecretUrl
from event_brokers.plugin.tls import TlsOptions

_HOST_AND_PORT = re.compile(r"([^:/]+):(\d+)")


def split_port(host: str) -> tuple[str, int | None]:
    """Return the name and the port of host:port; None where there is no port."""
    found = _HOST_AND_PORT.fullmatch(host)
    return (found[1], int(found[2])) if found else (host, None)


class DatabaseOptions(TlsOptions, frozen=True, kw_only=True):
    """Where a database is, and who connects to it."""

    dialect: Annotated[
        str, Meta(description="sqlite, postgresql, mysql, mariadb, or another of SQLAlchemy's")
    ] = "sqlite"
    url: Annotated[
        SecretUrl | None, Meta(description="host, or a full SQLAlchemy URL instead of the others")
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

    def __post_init__(self) -> None:
        """Refuse two hosts, and half a client certificate.

        Raises:
            ValueError: `url` and `host` are both given; a key or its password is given, and no
                certificate.
        """
        self.refuse_key_without_certificate()
        if self.url is not None and self.host is not None:
            raise ValueError("host: 'url' names the host already; give one of them")


class SQLOptions(DatabaseOptions, frozen=True, kw_only=True):
    """The options of `type: sql`."""

    place: ClassVar[tuple[str, ...]] = ("dialect", "url", "host", "port", "db", "table")

    table: Annotated[str, Meta(min_length=1, description="the table; made where it is missing")] = (
        "events"
    )

    def __post_init__(self) -> None:
        """Refuse a port behind the host too.

        Raises:
            ValueError: as for every database; `url` or `host` is host:port.
        """
        super().__post_init__()
        if split_port(self.server or "")[1] is not None:
            option = "url" if self.url else "host"
            raise ValueError(f"{option}: give the port as 'port', not behind the host")
