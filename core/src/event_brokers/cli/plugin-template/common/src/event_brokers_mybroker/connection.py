"""The live connection: it has signed in, knows its queue, and publishes into it."""

from __future__ import annotations

from collections.abc import Sequence

from event_brokers import ConfigurationError, Event, RejectedEvents
from event_brokers.plugin.tls import refuse_plain_text, warn_of_plain_password

from event_brokers_mybroker.client import Client
from event_brokers_mybroker.failures import told_in_words
from event_brokers_mybroker.options import TYPE, BrokerOptions


class Connection:
    """What the hook `connect` returns, and the core hands to `publish` and `close`.

    Parameters:
        options: of the section `event_broker`.
        used: the queues that earlier connections have delivered into.
    """

    def __init__(self, options: BrokerOptions, used: set[str]) -> None:
        self._options = options
        self._client = signed_in(options)
        try:
            self._open_queue(used)
        except BaseException:
            self._client.close()
            raise

    def publish(self, events: Sequence[Event]) -> None:
        """Send the batch; return when the server has confirmed every event of it."""
        messages = [
            {"id": event.id, "body": event.body.decode(), "headers": event.headers}
            for event in events
        ]
        with told_in_words(self._options):
            answer = self._client.ask(do="publish", queue=self._options.queue, events=messages)
        refused: dict[str, str] = answer["refused"]
        if refused:
            confirmed = [event.id for event in events if event.id not in refused]
            raise RejectedEvents(refused, confirmed=confirmed)

    def close(self) -> None:
        """Release the connection; again, it does nothing."""
        self._client.close()

    def _open_queue(self, used: set[str]) -> None:
        queue = self._options.queue
        with told_in_words(self._options):
            answer = self._client.ask(do="open", queue=queue, make=queue not in used)
        if queue in used and not answer["found"]:
            # somebody has deleted it, with events that were confirmed: it is not made anew
            raise ConfigurationError(f"event_broker.queue: '{queue}' is gone; make it again there")
        used.add(queue)


def signed_in(options: BrokerOptions) -> Client:
    """Return a client that the server has accepted."""
    address = options.address
    if not options.tls:
        refuse_plain_text(options, str(address), "write tls: true")
        if options.password is not None:
            warn_of_plain_password(TYPE, address, "write tls: true")
    with told_in_words(options):
        client = Client(options)
    try:
        with told_in_words(options):
            password = options.password.reveal() if options.password else None
            answer = client.ask(do="sign in", username=options.username, password=password)
        if not answer["accepted"]:
            raise ConfigurationError(
                f"event_broker.password: {address} refuses the user or the password"
            )
    except BaseException:
        client.close()
        raise
    return client


def inspect(options: BrokerOptions) -> list[str]:
    """Sign in, look for the queue, change nothing; return what was found, a sentence each."""
    client = signed_in(options)
    try:
        with told_in_words(options):
            answer = client.ask(do="open", queue=options.queue, make=False)
    finally:
        client.close()
    protection = "with TLS" if options.tls else "without TLS"
    user = f"as '{options.username}'" if options.username else "without a user"
    found = "exists" if answer["found"] else "is missing, and would be made"
    return [
        f"signed in to {options.address} {protection}, {user}",
        f"queue '{options.queue}' {found}",
    ]
