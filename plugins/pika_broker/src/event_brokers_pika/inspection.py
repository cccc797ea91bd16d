"""What `event-brokers check` says; looks, and changes nothing."""

from __future__ import annotations

from event_brokers_pika.options import PikaOptions
from event_brokers_pika.places import Place, list_places, refuse_to_make
from event_brokers_pika.server import Server
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
    return [f"connected to {session.server.address} {_describe_login(session.server)}", *found]


def _describe_place(place: Place, session: Session, options: PikaOptions) -> str:
    if session.has(place):
        return f"{place} found"
    refuse_to_make(place, options, session.server, used=set())
    return f"{place} is missing; it is made at the first connect"


def _describe_login(server: Server) -> str:
    user = f"as '{server.username}', virtual host '{server.virtual_host}'"
    if server.tls is None:
        return f"{user}, without TLS"
    checked = "with" if server.tls.ssl_check_hostname else "without"
    return f"{user}, TLS {checked} hostname check"
