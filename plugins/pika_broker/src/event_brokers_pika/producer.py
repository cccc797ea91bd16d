"""The RabbitMQ broker as the class that Rasa's documentation used."""

from __future__ import annotations

from typing import Any

from event_brokers import EventBroker
from event_brokers.plugin import settings_for


class PikaProducer(EventBroker):
    """An EventBroker that delivers into RabbitMQ.

    Parameters:
        url: as in the options, and so are all the others.

    Raises:
        ConfigurationError: an option is unknown or wrong.
    """

    def __init__(
        self,
        url: str | None = None,
        username: str | None = None,
        password: str | None = None,
        **options: Any,
    ) -> None:
        own = {"url": url, "username": username, "password": password}
        super().__init__(settings_for("pika", own | options))
