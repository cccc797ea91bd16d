"""What both processors do with a broker: publish, flush, shut down, and never fail the caller."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from opentelemetry.context import attach, set_value

from event_brokers import EventBroker, EventBrokersError
from event_brokers.hand_over import HandOver, is_own_work
from event_brokers.signal_handlers import is_from_signal_handler
from event_brokers_opentelemetry.losses import Losses

# what instrumentations ask before they make a span, under the name without a random part
_SUPPRESS = "suppress_instrumentation"


class Publishing:
    """Publishes events that are made of what the SDK hands over.

    Parameters:
        broker: takes the events; whoever made it closes it.
        what: is handed over, in the plural and for log lines: "spans".
        shutdown_timeout: seconds for which `shutdown` lets the broker deliver.
    """

    def __init__(self, broker: EventBroker, what: str, shutdown_timeout: float) -> None:
        self._broker = broker
        self._hand_over = HandOver(broker, what)
        self._shutdown_timeout = shutdown_timeout
        self._is_shut = False

    @property
    def lost(self) -> int:
        """How many the broker did not take, in this process."""
        return self._hand_over.lost

    def publish(self, scope: str, make_event: Callable[[Losses], dict[str, Any]]) -> None:
        """Publish an event, unless it is about the publishing itself.

        Parameters:
            scope: the name of the instrumentation scope.
            make_event: returns the event; notes in the losses what it cannot carry.
        """
        if self._is_shut or is_own_work(scope, Publishing.publish):
            return
        # in a copy, which needs no tidying up where a signal handler raises
        copy_context().run(self._publish_without_spans, make_event)

    def flush(self, timeout: float) -> bool:
        """Wait until everything handed over so far has left, and return whether it has.

        Parameters:
            timeout: seconds.
        """
        deadline = time.monotonic() + timeout
        try:
            status = self._broker.flush(max(0.0, timeout))
        except EventBrokersError as error:
            self._hand_over.remark(f"cannot tell what still waits: {error}")
            return False
        if status.pending == 0:
            return True
        # what waits though there was time has come later; a closed broker delivers nothing more
        return status.state != "closed" and time.monotonic() < deadline

    def shutdown(self) -> None:
        """Publish nothing more, and let the broker deliver for a while; the broker stays open."""
        if self._is_shut:
            return
        self._is_shut = True
        self.flush(self._shutdown_timeout)

    def _publish_without_spans(self, make_event: Callable[[Losses], dict[str, Any]]) -> None:
        attach(set_value(_SUPPRESS, True))
        losses = Losses(self._hand_over.remark)
        try:
            event = make_event(losses)
        except Exception as error:
            if is_from_signal_handler(error):
                raise
            self._hand_over.lose(error)
            return
        self._hand_over.publish(event)
