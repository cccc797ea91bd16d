"""What the hook `consume` yields: the messages of a group's queue as received events."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from event_brokers import BrokerUnavailable, ConfigurationError, ReceivedEvent
from event_brokers_pika.consuming_channel import Message
from event_brokers_pika.group import Source, find_source
from event_brokers_pika.options import PikaOptions
from event_brokers_pika.places import Place
from event_brokers_pika.session import open_session
from event_brokers_pika.subscription import Subscription
from event_brokers_pika.topology import prepare

_WAIT_SECONDS = 0.5


def consume(
    options: PikaOptions, group: str | None, from_start: bool, used: set[str]
) -> Generator[ReceivedEvent | None, None, None]:
    """Yield what arrives, for ever, and None where nothing does for half a second.

    Being asked for the next one acknowledges the event before; being closed does not, and leaves
    it at its place in the queue.

    Parameters:
        options: the options of `type: pika`.
        group: the name of its queue; None for a queue of its own that leaves no trace.
        from_start: of no effect for a group: a queue begins with the oldest that nobody took.
        used: gets the places that were found; none of them is made anew.

    Raises:
        ConfigurationError: a person must change something, or make a queue that is gone.
        BrokerUnavailable: RabbitMQ cannot be reached now.
    """
    source = find_source(options, group, from_start)
    with closing(Subscription(options, source)) as subscription:
        # connected first, with turns in which a consumer can be closed: to prepare has none
        while not subscription.is_open(_WAIT_SECONDS):
            yield None
        used.update(str(place) for place in _prepare_source(options, source, used))
        subscription.start()
        try:
            yield from _receive(subscription, source)
        except BrokerUnavailable:
            if subscription.is_cancelled:
                # the queue was deleted, or its node has ended: the first takes a person
                _prepare_source(options, source, used)
            raise


def _receive(
    subscription: Subscription, source: Source
) -> Generator[ReceivedEvent | None, None, None]:
    while True:
        message = subscription.next(_WAIT_SECONDS)
        if message is None:
            yield None
            continue
        yield _make_event(message, source.origin)
        subscription.acknowledge(message)


def _prepare_source(options: PikaOptions, source: Source, used: set[str]) -> list[Place]:
    with open_session(options) as session:
        places = prepare(session, options, source.queues, used)
        if source.queue is not None and session.is_stream(source.queue):
            raise ConfigurationError(
                f"event_broker.{options.queue_option}: '{source.queue}' is a stream, and no "
                "position in a stream is kept yet; consume from a classic or quorum queue that is "
                "bound beside it, or with a client for streams"
            )
    return places


def _make_event(message: Message, origin: str) -> ReceivedEvent:
    id_, headers = message.properties.message_id, message.properties.headers or {}
    return ReceivedEvent.from_body(
        message.body,
        origin,
        # pika leaves bytes what is not UTF-8
        id_ if isinstance(id_, str) else None,
        {name: value for name, value in headers.items() if isinstance(value, str)},
    )
