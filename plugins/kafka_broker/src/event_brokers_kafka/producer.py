"""The class that the original documentation used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from event_brokers import EventBroker
from event_brokers.plugin import settings_for


class KafkaProducer(EventBroker):
    """An EventBroker of type `kafka`, with its options given in Python.

    Parameters:
        host: brokers to ask first: "host", "host:port", several with commas, or a list.
        topic: topic that the events go to.
        options: every other option of type `kafka`, and `delivery`.

    Raises:
        ConfigurationError: one sentence that names the option and the way out.
    """

    def __init__(
        self,
        host: str | Sequence[str] | None = None,
        *,
        topic: str | None = None,
        **options: Any,
    ) -> None:
        hosts = host if host is None or isinstance(host, str) else list(host)
        super().__init__(settings_for("kafka", {"host": hosts, "topic": topic, **options}))
