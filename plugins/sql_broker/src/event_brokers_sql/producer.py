"""The SQL broker as the class that Rasa's documentation used."""

from __future__ import annotations

from typing import Any

from event_brokers import EventBroker
from event_brokers.plugin import settings_for


class SQLProducer(EventBroker):
    """An EventBroker that delivers into a table.

    Parameters:
        dialect: as in the options, and so are all the others.

    Raises:
        ConfigurationError: an option is unknown or wrong.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the signature of the original
        self,
        dialect: str = "sqlite",
        host: str | None = None,
        port: int | None = None,
        db: str = "events.db",
        username: str | None = None,
        password: str | None = None,
        **options: Any,
    ) -> None:
        own = {
            "dialect": dialect, "host": host, "port": port, "db": db,
            "username": username, "password": password,
        }  # fmt: skip
        super().__init__(settings_for("sql", own | options))
