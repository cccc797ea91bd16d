"""Reads the stream: as one of the consumers of a group, or on its own."""

from __future__ import annotations

from collections.abc import Iterator

from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingCame
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from event_brokers import ReceivedEvent
from event_brokers.plugin.receiving import receive
from event_brokers_nats.connection import ANSWER_SECONDS, Connection
from event_brokers_nats.message import event_of

TURN_SECONDS = 0.5
LEFT_SECONDS = 60.0  # after which an event in the hand of a consumer that was killed comes again


def read(
    connection: Connection, group: str | None, from_start: bool
) -> Iterator[ReceivedEvent | None]:
    """Yield the events; see the hook `consume`."""
    options = connection.options
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.ALL if from_start else DeliverPolicy.NEW,
        ack_policy=AckPolicy.EXPLICIT if group else AckPolicy.NONE,
        ack_wait=LEFT_SECONDS,
    )
    jetstream = connection.client.jetstream(timeout=ANSWER_SECONDS)
    subscription = connection.run(
        jetstream.pull_subscribe(options.subject, group, options.stream, config)
    )
    batches = take(connection, subscription)
    if group is None:
        return receive(batches)
    return receive(
        batches,
        acknowledge=lambda message: connection.run(message.ack_sync(ANSWER_SECONDS)),
        give_back=lambda message: connection.run(message.nak()),
    )


def take(
    connection: Connection, subscription: JetStreamContext.PullSubscription
) -> Iterator[list[tuple[Msg, ReceivedEvent]]]:
    """Yield message after message, and nothing where none comes."""
    while True:
        messages = connection.run(fetch(subscription))
        yield [(message, event_of(message)) for message in messages]


async def fetch(subscription: JetStreamContext.PullSubscription) -> list[Msg]:
    """Return the next message; none where none comes."""
    try:
        return await subscription.fetch(1, TURN_SECONDS)
    except NothingCame:
        return []
