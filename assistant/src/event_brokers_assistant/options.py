"""The options of the section `tracker_store`, named as in Rasa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import Meta

from event_brokers import Options, Secret, SecretUrl


class SQLTrackerStoreOptions(Options, frozen=True, kw_only=True):
    """The options of `type: SQL`."""

    synonyms: ClassVar[Mapping[str, str]] = {"host": "url"}
    superseded: ClassVar[Mapping[str, str]] = {
        "login_db": "has no effect; make the database that 'db' names first",
    }

    dialect: Annotated[
        str, Meta(description="sqlite, postgresql, mysql, mariadb, or another of SQLAlchemy's")
    ] = "sqlite"
    url: Annotated[
        SecretUrl | None, Meta(description="host, or a full SQLAlchemy URL instead of the others")
    ] = None
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        Meta(description="port, unless it is the database's own"),
    ] = None
    db: Annotated[str, Meta(description="name of the database; for SQLite its file")] = "tracker.db"
    username: Annotated[str | None, Meta(description="user of the database")] = None
    password: Annotated[Secret | None, Meta(description="the user's password")] = None
    query: Annotated[
        dict[str, str] | None, Meta(description="options of the database's driver")
    ] = None


class InMemoryTrackerStoreOptions(Options, frozen=True, kw_only=True):
    """The options of `type: InMemory`, which has none."""
