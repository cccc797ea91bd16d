"""The options of `type: sql`, named as in Rasa's SQL event broker."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from event_brokers import Options, Secret, SecretUrl

_HOST_AND_PORT = re.compile(r"[^:/]+:\d+")


class SQLOptions(Options, frozen=True, kw_only=True):
    """The options of `type: sql`."""

    dialect: Annotated[
        str, Meta(description="sqlite, postgresql, mysql, mariadb, or another of SQLAlchemy's")
    ] = "sqlite"
    url: Annotated[
        SecretUrl | None, Meta(description="host, or a full SQLAlchemy URL instead of the others")
    ] = None
    host: Annotated[str | None, Meta(description="host of the database server")] = None
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
    table: Annotated[str, Meta(min_length=1, description="the table; made where it is missing")] = (
        "events"
    )

    def __post_init__(self) -> None:
        """Refuse two hosts, and a host that holds a port.

        Raises:
            ValueError: `url` and `host` are both given; one of them is host:port.
        """
        if self.url is not None and self.host is not None:
            raise ValueError("host: 'url' names the host already; give one of them")
        for option, host in (("url", self.url.reveal() if self.url else ""), ("host", self.host)):
            if _HOST_AND_PORT.fullmatch(host or ""):
                raise ValueError(f"{option}: give the port as 'port', not behind the host")
