"""A consumer on a thread of its own: what it has received so far, and how it has ended."""

from __future__ import annotations

import threading

from event_brokers.consumer import Consumer


class Listening:
    """Consumes until the consumer is closed.

    Parameters:
        consumer: that is closed by somebody else.

    Attributes:
        ids: of the events that were received, in order.
        error: what the consumer has raised; None while it goes on.
    """

    def __init__(self, consumer: Consumer) -> None:
        self.ids: list[str | None] = []
        self.error: Exception | None = None
        self._consumer = consumer
        self._thread = threading.Thread(target=self._run, name="conformance-consumer", daemon=True)
        self._thread.start()

    def has_ended(self, timeout: float = 0.0) -> bool:
        """Return whether it has ended, or ends in time.

        Parameters:
            timeout: seconds to wait for the end.
        """
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            for received in self._consumer:
                self.ids.append(received.id)
        except Exception as error:  # noqa: BLE001 - said by the check that listens
            self.error = error
