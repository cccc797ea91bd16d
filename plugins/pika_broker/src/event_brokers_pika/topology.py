"""The queues and the exchange: looked for first, and made where they are missing and may be."""

from __future__ import annotations

from collections.abc import Sequence

from event_brokers_pika.options import PikaOptions
from event_brokers_pika.places import list_places, refuse_to_make
from event_brokers_pika.session import Session


def prepare(session: Session, options: PikaOptions, queues: Sequence[str], used: set[str]) -> None:
    """Make the queues, the exchange and the bindings that are missing.

    Parameters:
        session: with RabbitMQ.
        options: the options of `type: pika`.
        queues: the queues to have, each bound to the exchange where there is one.
        used: what earlier connections have used, and is never made anew.

    Raises:
        ConfigurationError: a person must change something, or make what is missing.
    """
    missing = [place for place in list_places(options, queues) if not session.has(place)]
    for place in missing:
        refuse_to_make(place, options, session.server, used)
    for place in missing:
        session.make(place, options.arguments_of_made_queues)
    if options.exchange and options.declare:
        for queue in queues:
            session.bind(queue, options.exchange)
