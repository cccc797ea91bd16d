"""From an event to the properties of its message."""

from __future__ import annotations

import pika

from event_brokers import Event
from event_brokers_pika.options import SHORT_STRING_BYTES

_PERSISTENT = 2


def make_properties(event: Event, environment: str | None) -> pika.BasicProperties:
    """Return what travels beside the body.

    Parameters:
        event: the event.
        environment: the value of RASA_ENVIRONMENT, where it is set; becomes `app_id` as in Rasa.
    """
    return pika.BasicProperties(
        content_type="application/json",
        delivery_mode=_PERSISTENT,
        message_id=event.id,
        type=_limit(event.type),
        timestamp=_count_seconds(event.timestamp),
        app_id=_limit(environment),
        headers=event.headers,
    )


def _limit(text: str | None) -> str | None:
    # the header event_type carries what an AMQP short string cannot
    if text is None or len(text.encode()) > SHORT_STRING_BYTES:
        return None
    return text


def _count_seconds(timestamp: float | None) -> int | None:
    # RabbitMQ's clients read AMQP's unsigned 64 bits as a signed number
    if timestamp is None or not 0 <= timestamp < 2**63:
        return None
    return int(timestamp)
