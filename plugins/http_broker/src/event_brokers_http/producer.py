"""An EventBroker of type `http`, with its options given in Python."""

from __future__ import annotations

from typing import Any

from event_brokers import EventBroker
from event_brokers.plugin import settings_for


class HTTPProducer(EventBroker):
    """An EventBroker that delivers to an HTTP endpoint.

    Parameters:
        url: where events go, https://host/path.
        options: every other option of type `http`, and `delivery`.

    Raises:
        ConfigurationError: one sentence that names the option and the way out.
    """

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(settings_for("http", {"url": url, **options}))
