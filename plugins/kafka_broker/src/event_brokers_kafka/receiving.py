"""What is received, and what may go wrong with it, in the words that every client shares."""

from __future__ import annotations

from collections.abc import Sequence

from event_brokers import BrokerUnavailable, ConfigurationError, ReceivedEvent
from event_brokers.plugin import logger
from event_brokers_kafka.options import KafkaOptions


def to_event(
    topic: str,
    partition: int,
    offset: int,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
) -> ReceivedEvent:
    """Return the event that a record is.

    Parameters:
        topic: where it stood.
        partition: as above.
        offset: as above.
        value: None where the record is a tombstone.
        headers: a name may stand there more than once; the last one counts.
    """
    texts = {name: (given or b"").decode(errors="replace") for name, given in headers}
    origin = f"topic '{topic}', partition {partition}, offset {offset}"
    return ReceivedEvent.from_body(value or b"", origin, headers=texts)


def group_access_error(options: KafkaOptions, group: str | None) -> ConfigurationError:
    """Return the error for a group that the user may not join."""
    return ConfigurationError(
        f"event_broker.{options.user_option}: '{options.where}' does not let this user into the "
        f"group '{group}'; grant Read on the group"
    )


def consumer_failed(options: KafkaOptions, name: str) -> BrokerUnavailable:
    """Return the error for whatever passes by itself.

    Parameters:
        options: where from.
        name: what the client calls it.
    """
    return BrokerUnavailable(f"{options.where}: the consumer failed with {name}")


def warn_of_lost_group() -> None:
    """Say that what was acknowledged last comes again."""
    logger.warning("kafka: the group has gone on without this consumer; events come again")
