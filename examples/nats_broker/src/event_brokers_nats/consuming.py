"""The consuming side: reads the stream, as one of the consumers of a group, or on its own."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingCame
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from event_brokers import ReceivedEvent
from event_brokers.plugin.receiving import receive
from event_brokers_nats.publishing import ANSWER_SECONDS, ID, Connection

TURN_SECONDS = 0.5
LEFT_SECONDS = 60.0  # after which an event in the hand of a consumer that was killed comes again


def read(
    connection: Connection, group: str | None, from_start: bool
) -> Iterator[ReceivedEvent | None]:
    """Yield the events; see the hook `consume`."""
    options, run = connection.options, connection.run
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.ALL if from_start else DeliverPolicy.NEW,
        ack_policy=AckPolicy.EXPLICIT if group else AckPolicy.NONE,
        ack_wait=LEFT_SECONDS,
    )
    subscribed = connection.jetstream.pull_subscribe(options.subject, group, options.stream, config)
    batches = take(connection, run(subscribed))
    if group is None:
        return receive(batches)
    return receive(
        batches,
        acknowledge=lambda message: run(message.ack_sync(ANSWER_SECONDS)),
        give_back=lambda message: run(message.nak()),
    )


def take(
    connection: Connection, subscription: JetStreamContext.PullSubscription
) -> Iterator[list[tuple[Msg, ReceivedEvent]]]:
    """Yield message after message, and nothing where none comes."""
    while True:
        try:
            messages = connection.run(subscription.fetch(1, TURN_SECONDS))
        except NothingCame:
            messages = []
        yield [(message, event_of(message)) for message in messages]


def event_of(message: Msg) -> ReceivedEvent:
    """Return the event that a message holds, also one that somebody else has sent."""
    headers = {unquote(name): text for name, text in (message.headers or {}).items()}
    stored = message.metadata
    origin = f"stream '{stored.stream}', sequence {stored.sequence.stream}"
    return ReceivedEvent.from_body(message.data, origin, headers.pop(ID, None), headers)
