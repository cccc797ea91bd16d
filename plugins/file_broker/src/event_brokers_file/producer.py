"""The file broker as the class that Rasa's documentation used."""

from __future__ import annotations

from typing import Any

from event_brokers import EventBroker
from event_brokers.plugin import settings_for


class FileProducer(EventBroker):
    """An EventBroker that delivers into a file.

    Parameters:
        path: as in the options, and so are all the others.

    Raises:
        ConfigurationError: an option is unknown or wrong.
    """

    def __init__(self, path: str = "rasa_event.log", **options: Any) -> None:
        super().__init__(settings_for("file", {"path": path} | options))
