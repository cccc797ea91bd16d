"""Publishing until somebody sees it: a consumer does not say from where on it reads."""

from __future__ import annotations

from collections.abc import Callable

from event_brokers import EventBroker
from waiting import wait_until


def until_seen(broker: EventBroker, is_seen: Callable[[], bool]) -> None:
    """Publish events of the conversation `ada` until one of them is seen, and let all arrive.

    Parameters:
        broker: publishes.
        is_seen: whether one was.
    """

    def publish() -> bool:
        broker.publish({"event": "user", "sender_id": "ada"})
        broker.flush(10)
        return is_seen()

    wait_until(publish)
