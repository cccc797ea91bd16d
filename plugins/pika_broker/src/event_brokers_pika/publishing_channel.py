"""The channel that events are published on: what happens to it on its connection's thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from pika import spec
from pika.exceptions import AMQPError

from event_brokers import Event
from event_brokers.plugin import logger
from event_brokers_pika.batch import Batch
from event_brokers_pika.failures import BLOCKED
from event_brokers_pika.message import make_properties
from event_brokers_pika.options import PikaOptions
from event_brokers_pika.refusals import Refusals
from event_brokers_pika.turns import Turns

# pika writes nothing while a callback runs, and RabbitMQ would wait until the last event is ready
_EVENTS_AT_ONCE = 128


class PublishingChannel:
    """A channel in confirm mode, opened again when RabbitMQ closes it over an event.

    Parameters:
        options: the options of `type: pika`.

    Attributes:
        opened: done when the channel is open for the first time; fails where it cannot be opened.
        is_blocked: whether RabbitMQ blocks publishers now.
    """

    def __init__(self, options: PikaOptions) -> None:
        self.opened: Future[None] = Future()
        self.is_blocked = False
        self._refusals = Refusals(options)
        self._exchange = options.exchange
        self._routing_key = "" if options.exchange else options.queue_names[0]
        self._environment = os.environ.get("RASA_ENVIRONMENT") or None
        self._channel: Any = None  # the one that is open
        self._call_soon: Callable[[Callable[[], None]], None]
        self._next_tag = 1
        self._batch: Batch | None = None
        self._turns = Turns((), self._refusals.line_of)
        self._failure: BaseException | None = None

    def send(self, batch: Batch) -> None:
        """Publish a batch, at once or when the channel is open."""
        self._batch = batch
        if self._failure is not None:
            batch.fail(self._failure)
        elif self._channel is not None:
            self._publish(batch)

    def on_open(self, connection: Any) -> None:
        """Open the channel."""
        self._call_soon = connection.ioloop.add_callback_threadsafe
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        connection.channel(on_open_callback=self._on_channel_open)

    def on_lost(self, error: BaseException) -> None:
        """Let nobody wait for an answer any more."""
        self._channel = None
        if self._failure is None:
            self._failure = error
        if not self.opened.done():
            self.opened.set_exception(error)
        if self._batch is not None:
            self._batch.fail(error)

    def _on_channel_open(self, channel: Any) -> None:
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(self._on_returned)
        channel.confirm_delivery(
            self._on_confirmed, callback=lambda _frame: self._on_confirm_mode(channel)
        )

    def _on_confirm_mode(self, channel: Any) -> None:
        self._channel, self._next_tag = channel, 1
        if not self.opened.done():
            self.opened.set_result(None)
        if self._batch is not None and not self._batch.done.is_set():
            self._publish(self._batch)

    def _on_channel_closed(self, channel: Any, error: BaseException) -> None:
        self._channel = None
        if not channel.connection.is_open or not self.opened.done():
            self.on_lost(error)
            return
        if self._batch is not None:
            self._batch.fail(error)
        # one event that is too large must not cost the others their connection
        channel.connection.channel(on_open_callback=self._on_channel_open)

    def _publish(self, batch: Batch) -> None:
        self._turns = Turns(batch.events, self._refusals.line_of)
        self._send(batch, self._turns.first)

    def _send(self, batch: Batch, events: Iterable[Event]) -> None:
        """Send events behind those that are still to be sent."""
        is_sending = bool(batch.unsent)
        batch.unsent.extend(events)
        if not is_sending:
            self._send_some(batch)

    def _send_some(self, batch: Batch) -> None:
        """Send the next events, and go on when pika has written them."""
        if batch.done.is_set():
            return
        try:
            for _ in range(min(_EVENTS_AT_ONCE, len(batch.unsent))):
                self._send_one(batch, batch.unsent.popleft())
        except AMQPError as error:
            self.on_lost(error)
            return
        if batch.unsent:
            self._call_soon(partial(self._send_some, batch))

    def _send_one(self, batch: Batch, event: Event) -> None:
        batch.unconfirmed[self._next_tag] = event
        self._next_tag += 1
        self._channel.basic_publish(
            self._exchange,
            self._routing_key,
            event.body,
            make_properties(event, self._environment),
            mandatory=True,
        )

    def _on_returned(self, _channel: Any, method: Any, returned: Any, _body: bytes) -> None:
        if self._batch is not None:
            self._batch.note_return(returned.message_id, method.reply_text)

    def _on_confirmed(self, frame: Any) -> None:
        batch = self._batch
        if batch is None or batch.done.is_set():
            return
        taken = batch.note_answer(frame.method)
        if isinstance(frame.method, spec.Basic.Nack):
            self._refusals.note_refused()
        self._refusals.note_taken(len(taken))
        self._send(batch, self._choose_next(taken))
        batch.end_if_answered()

    def _choose_next(self, taken: Sequence[Event]) -> list[Event]:
        return self._turns.end() if self._refusals.are_unlikely else self._turns.after(taken)

    def _on_blocked(self, _connection: Any, _frame: Any) -> None:
        self.is_blocked = True
        logger.warning("pika: %s; events wait", BLOCKED)

    def _on_unblocked(self, _connection: Any, _frame: Any) -> None:
        self.is_blocked = False
        logger.warning("pika: RabbitMQ takes events again")
