"""What of an event goes into a record beside its body: the key and the headers."""

from __future__ import annotations

import os

from event_brokers import Event
from event_brokers_kafka.options import KafkaOptions

_ENVIRONMENT = "RASA_ENVIRONMENT"


class Records:
    """Makes keys and headers, the same with every client.

    Parameters:
        options: whether there are keys.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._by_sender = options.partition_by_sender
        self._environment = os.environ.get(_ENVIRONMENT)

    def key(self, event: Event) -> bytes | None:
        """Return the key: whoever has the same one is in the same partition."""
        if self._by_sender and event.sender_id is not None:
            return event.sender_id.encode()
        return None

    def headers(self, event: Event) -> list[tuple[str, bytes]]:
        """Return the headers; Rasa's environment is one of them, unless it is given otherwise."""
        headers = event.headers
        if self._environment:
            headers.setdefault(_ENVIRONMENT, self._environment)
        return [(name, text.encode()) for name, text in headers.items()]
