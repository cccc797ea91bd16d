"""What the hook `consume` yields: the messages of a group's queue as received events."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from event_brokers import ReceivedEvent
from event_brokers_pika.group import source
from event_brokers_pika.options import PikaOptions
from event_brokers_pika.parameters import parameters
from event_brokers_pika.subscription import Message, Subscription
from event_brokers_pika.topology import prepare

_WAIT_SECONDS = 0.5


def received(
    options: PikaOptions, group: str | None, from_start: bool
) -> Generator[ReceivedEvent | None, None, None]:
    """Yield what arrives, for ever; None where nothing does for half a second.

    Being asked for the next one acknowledges the event before; being closed does not, and leaves
    it at its place in the queue.

    Parameters:
        options: the options of `type: pika`.
        group: the name of its queue; None for a queue of its own that leaves no trace.
        from_start: of no effect for a group: a queue begins with the oldest that nobody took.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: RabbitMQ cannot be reached now, or the queue is gone.
    """
    wanted = source(options, group, from_start)
    with closing(Subscription(parameters(options), wanted)) as subscription:
        # connected first, with turns in which a consumer can be closed: to prepare has none
        while not subscription.is_open(_WAIT_SECONDS):
            yield None
        prepare(options, [wanted.queue] if wanted.queue else [])
        subscription.start()
        while True:
            message = subscription.next(_WAIT_SECONDS)
            if message is None:
                yield None
                continue
            yield _event(message, wanted.origin)
            subscription.acknowledge(message)


def _event(message: Message, origin: str) -> ReceivedEvent:
    id_, headers = message.properties.message_id, message.properties.headers or {}
    return ReceivedEvent.from_body(
        message.body,
        origin,
        # pika leaves bytes what is not UTF-8
        id_ if isinstance(id_, str) else None,
        {name: value for name, value in headers.items() if isinstance(value, str)},
    )
