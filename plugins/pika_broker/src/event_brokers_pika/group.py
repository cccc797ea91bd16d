"""From a group of consumers to the queue that its events are taken from."""

from __future__ import annotations

from dataclasses import dataclass

from event_brokers import ConfigurationError
from event_brokers.plugin import DEFAULT_GROUP
from event_brokers_pika.options import SHORT_STRING_BYTES, PikaOptions


@dataclass(frozen=True)
class Source:
    """Where the events of a group are taken from.

    Attributes:
        queue: the queue; None for one of its own, which ends with its consumer.
        exchange: what the queue is bound to; empty for the default exchange.
    """

    queue: str | None
    exchange: str

    @property
    def queues(self) -> list[str]:
        """The queue that has to be there before; none where it is one of its own."""
        return [] if self.queue is None else [self.queue]

    @property
    def origin(self) -> str:
        """Where an event of this source stood, in words."""
        return f"exchange '{self.exchange}'" if self.queue is None else f"queue '{self.queue}'"


def find_source(options: PikaOptions, group: str | None, from_start: bool) -> Source:
    """Return what a group takes its events from.

    Parameters:
        options: the options of `type: pika`.
        group: its name; None for somebody who only looks.
        from_start: whether the oldest events are asked for.

    Raises:
        ConfigurationError: RabbitMQ cannot give that group what it asks for.
    """
    if group is None:
        return _find_source_to_look_on(options, from_start)
    if not group or len(group.encode()) > SHORT_STRING_BYTES:
        raise ConfigurationError(
            f"group: is the name of a queue of 'pika', of 1 to {SHORT_STRING_BYTES} bytes"
        )
    if group == DEFAULT_GROUP:
        return Source(options.queue_names[0], options.exchange)
    if not options.exchange and group not in options.queue_names:
        raise ConfigurationError(
            "event_broker.exchange_name: a queue without an exchange gives each event to one "
            f"consumer alone; name an exchange to have the group '{group}'"
        )
    return Source(group, options.exchange)


def _find_source_to_look_on(options: PikaOptions, from_start: bool) -> Source:
    if from_start:
        raise ConfigurationError(
            "from_start: RabbitMQ keeps nothing that was delivered, so without a group there is "
            "no start to begin from; leave it out, or name a group"
        )
    if not options.exchange:
        raise ConfigurationError(
            "event_broker.exchange_name: without an exchange, consuming from the queue "
            f"'{options.queue_names[0]}' would take events away from its real consumer; "
            f"name an exchange, or take them: tail with --take, as the group '{DEFAULT_GROUP}'"
        )
    if not options.declare:
        raise ConfigurationError(
            "event_broker.declare: is false, and looking on takes a queue of its own, which ends "
            "with it; take declare: false out, or take the events: tail with --take"
        )
    return Source(None, options.exchange)
