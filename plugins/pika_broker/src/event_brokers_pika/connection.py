"""A connection to RabbitMQ, for the thread that publishes batches and waits for their confirms."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import TimeoutError as NotInTime
from functools import partial

from pika.exceptions import AMQPConnectionError

from event_brokers import BrokerUnavailable, Event, EventBrokersError, RejectedEvents
from event_brokers_pika.batch import Batch
from event_brokers_pika.connection_thread import ConnectionThread
from event_brokers_pika.failures import find_size_limit, is_about_a_frame, translate
from event_brokers_pika.options import PikaOptions
from event_brokers_pika.parameters import make_parameters
from event_brokers_pika.places import Place
from event_brokers_pika.publishing_channel import PublishingChannel
from event_brokers_pika.server import find_server

_OPEN_SECONDS = 15.0
_STALLED_SECONDS = 20.0  # the core tells of a hook that has not returned for 30 s
_LOOK_SECONDS = 1.0


class Connection:
    """A connection whose channel is open.

    Parameters:
        options: the options of `type: pika`.
        used: gets the places in which this connection has had an event confirmed.
        places: what it publishes into.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: RabbitMQ cannot be reached now.
    """

    def __init__(self, options: PikaOptions, used: set[str], places: Iterable[Place]) -> None:
        self._options = options
        self._used, self._places = used, [str(place) for place in places]
        self._server = find_server(options)
        self._channel = PublishingChannel(options)
        self._thread = ConnectionThread(make_parameters(options), self._channel)
        try:
            self._wait_until_open()
        except EventBrokersError:
            self.close()
            raise

    def publish(self, events: Sequence[Event]) -> None:
        """Publish a batch and return when the last of it is confirmed.

        Raises:
            RejectedEvents: an event is larger than RabbitMQ takes.
            ConfigurationError: a person must change something.
            BrokerUnavailable: not delivered, or not known.
        """
        batch = Batch(events)
        self._thread.call_soon(partial(self._channel.send, batch))
        try:
            self._wait_until_done(batch)
            if batch.failure is not None:
                raise self._explain(batch, batch.failure) from batch.failure
            batch.raise_for_undelivered(self._options)
        finally:
            if batch.confirmed:
                self._used.update(self._places)

    def close(self) -> None:
        """Close the connection and end its thread, within some seconds."""
        self._thread.close()

    def _wait_until_open(self) -> None:
        try:
            failure = self._channel.opened.exception(_OPEN_SECONDS)
        except NotInTime as error:
            raise BrokerUnavailable(f"{self._server.address} does not answer") from error
        if failure is not None:
            raise translate(failure, self._server) from failure

    def _wait_until_done(self, batch: Batch) -> None:
        """Wait for the last confirm, as long as there is any progress."""
        answered, moved_at = 0, time.monotonic()
        while not batch.done.wait(_LOOK_SECONDS):
            if not self._thread.is_alive:
                batch.fail(AMQPConnectionError("the connection has ended"))
            # an alarm ends by itself, or by blocked_connection_timeout
            if self._channel.is_blocked or batch.answered != answered:
                answered, moved_at = batch.answered, time.monotonic()
            if time.monotonic() - moved_at > _STALLED_SECONDS:
                raise BrokerUnavailable(
                    f"{self._server.address} confirmed nothing for {_STALLED_SECONDS:.0f} s",
                    batch.confirmed,
                )

    def _explain(self, batch: Batch, failure: BaseException) -> EventBrokersError:
        limit = find_size_limit(failure)
        if limit is not None:
            return RejectedEvents(
                {
                    event.id: f"{len(event.body)} bytes are more than the {limit} that RabbitMQ "
                    "takes"
                    for event in batch.events
                    if len(event.body) > limit
                },
                confirmed=batch.confirmed,
            )
        if is_about_a_frame(failure):
            return RejectedEvents(
                {},
                "type and headers are more than fits into a frame of RabbitMQ",
                batch.confirmed,
                reconnect=True,
            )
        return translate(failure, self._server, batch.confirmed)
