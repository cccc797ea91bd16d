"""The live connection: it has signed in, knows its queue, and publishes into it."""

from __future__ import annotations

from collections.abc import Sequence

from event_brokers import Event, RejectedEvents
from event_brokers.plugin.opening import closed_on_failure

from event_brokers_mybroker.client import Client
from event_brokers_mybroker.options import BrokerOptions


class Denied(Exception):
    """The server does not let the user in."""


class Connection:
    """What the hooks are made of; the errors that it lets through are explained by them.

    Parameters:
        options: of the section `event_broker`.
    """

    def __init__(self, options: BrokerOptions) -> None:
        self.options = options
        self.client = Client(options)
        with closed_on_failure(self):
            self._sign_in()

    def has_place(self) -> bool:
        """Return whether the queue is there."""
        answer = self.client.ask(do="open", queue=self.options.queue, make=False)
        return bool(answer["found"])

    def make_place(self) -> None:
        """Make the queue."""
        self.client.ask(do="open", queue=self.options.queue, make=True)

    def publish(self, events: Sequence[Event]) -> None:
        """Send the batch; return when the server has confirmed every event of it."""
        messages = [
            {"id": event.id, "body": event.body.decode(), "headers": event.headers}
            for event in events
        ]
        answer = self.client.ask(do="publish", queue=self.options.queue, events=messages)
        refused: dict[str, str] = answer["refused"]
        if refused:
            confirmed = [event.id for event in events if event.id not in refused]
            raise RejectedEvents(refused, confirmed=confirmed)

    def close(self) -> None:
        """Release the connection; again, it does nothing."""
        self.client.close()

    def _sign_in(self) -> None:
        username, password = self.options.username, self.options.revealed_password
        answer = self.client.ask(do="sign in", username=username, password=password)
        if not answer["accepted"]:
            raise Denied
