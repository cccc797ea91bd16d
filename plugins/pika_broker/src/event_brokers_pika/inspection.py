"""What `event-brokers check` says; looks, and changes nothing."""

from __future__ import annotations

import pika

from event_brokers_pika.options import PikaOptions
from event_brokers_pika.parameters import describe_server
from event_brokers_pika.places import Place, list_places, refuse_to_make
from event_brokers_pika.session import Session, open_session


def inspect(options: PikaOptions) -> list[str]:
    """Return where we got in and which queues and exchange are there, a sentence each.

    Parameters:
        options: the options of `type: pika`.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: RabbitMQ cannot be reached now.
    """
    with open_session(options) as session:
        places = list_places(options, options.queues)
        found = [_describe_place(place, session, options) for place in places]
    server = session.parameters
    return [f"connected to {describe_server(server)} {_describe_login(server, options)}", *found]


def _describe_place(place: Place, session: Session, options: PikaOptions) -> str:
    if session.has(place):
        return f"{place} found"
    refuse_to_make(place, options, session.parameters, used=set())
    return f"{place} is missing; it is made at the first connect"


def _describe_login(server: pika.ConnectionParameters, options: PikaOptions) -> str:
    user = f"as '{server.credentials.username}', virtual host '{server.virtual_host}'"
    if server.ssl_options is None:
        return f"{user}, without TLS"
    checked = "with" if options.ssl_check_hostname else "without"
    return f"{user}, TLS {checked} hostname check"
