"""The queues and the exchange: looked for first, and made where they are missing and may be."""

from __future__ import annotations

from collections.abc import Sequence

from event_brokers_pika.options import PikaOptions
from event_brokers_pika.places import Place, list_places, place_to_make, refuse_to_make
from event_brokers_pika.session import Session


def prepare(
    session: Session, options: PikaOptions, queues: Sequence[str], used: set[str]
) -> list[Place]:
    """Make the queues, the exchange and the bindings that are missing, and return the places.

    Nobody can ask RabbitMQ whether a binding is there. So each is made every time, which changes
    nothing where it is, and loses nothing where it was not.

    Parameters:
        session: with RabbitMQ.
        options: the options of `type: pika`.
        queues: the queues to have, each bound to the exchange where there is one.
        used: what earlier connections have used, and is never made anew.

    Raises:
        ConfigurationError: a person must change something, or make what is missing.
    """
    wanted = list_places(options, queues)
    missing = [place for place in wanted if not session.has(place)]
    found = [session.describe(place) for place in wanted if place not in missing]
    for place in missing:
        refuse_to_make(place, options, session.server, used)
    made = [place_to_make(place, used) for place in missing]
    for place in made:
        session.make(place, options.arguments_of_made_queues)
    if options.exchange and options.declare:
        for queue in queues:
            session.bind(queue, options.exchange)
    return [*found, *made]
