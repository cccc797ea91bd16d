"""What of an event goes into a record beside its body: the key and the headers."""

from __future__ import annotations

import os

from event_brokers import Event
from event_brokers_kafka.options import KafkaOptions

_ENVIRONMENT = "RASA_ENVIRONMENT"
_MOST_TYPES = 1_000

Headers = list[tuple[str, bytes]]


class Records:
    """Makes keys and headers, the same with every client.

    Parameters:
        options: whether there are keys.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._by_sender = options.partition_by_sender
        self._environment = os.environ.get(_ENVIRONMENT)
        self._of_type: dict[str | None, Headers] = {}

    def key(self, event: Event) -> bytes | None:
        """Return the key: whoever has the same one is in the same partition."""
        if self._by_sender and event.sender_id is not None:
            return event.sender_id.encode()
        return None

    def headers(self, event: Event) -> Headers:
        """Return the headers; Rasa's environment is one of them, unless it is given otherwise."""
        if event.given_headers:
            return self._all_headers(event)
        # but for its id, all events of a type have the same ones
        others = self._of_type.get(event.type) or self._others(event)
        return [("event_id", event.id.encode()), *others]

    def _others(self, event: Event) -> Headers:
        if len(self._of_type) >= _MOST_TYPES:
            self._of_type.clear()
        others = self._of_type[event.type] = self._all_headers(event)[1:]
        return others

    def _all_headers(self, event: Event) -> Headers:
        headers = event.headers
        if self._environment:
            headers.setdefault(_ENVIRONMENT, self._environment)
        return [(name, text.encode()) for name, text in headers.items()]
