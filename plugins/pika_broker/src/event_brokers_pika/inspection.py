"""What `event-brokers check` says; looks, and changes nothing."""

from __future__ import annotations

from event_brokers_pika.options import DEFAULT_EXCHANGE, DEFAULT_QUEUE, PikaOptions
from event_brokers_pika.places import Place, list_places, refuse_to_make
from event_brokers_pika.server import Server
from event_brokers_pika.session import Session, open_session

_IS_TRANSIENT = "it is not durable, so it ends when RabbitMQ is restarted, and is made again then"
_DEFAULT = f"its default is exchange '{DEFAULT_EXCHANGE}' and queue '{DEFAULT_QUEUE}'"


def inspect(options: PikaOptions) -> list[str]:
    """Return where we got in and which queues and exchange are there, a sentence each.

    Parameters:
        options: the options of `type: pika`.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: RabbitMQ cannot be reached now.
    """
    with open_session(options) as session:
        places = list_places(options, options.queue_names)
        found = [_describe_place(place, session, options) for place in places]
    return [
        f"connected to {session.server.address} {_describe_login(session.server)}",
        *found,
        _describe_destination(options),
    ]


def _describe_place(place: Place, session: Session, options: PikaOptions) -> str:
    if session.has(place):
        lasting = session.describe(place) == place
        return f"{place} found" if lasting else f"{place} found; {_IS_TRANSIENT}"
    refuse_to_make(place, options, session.server, used=set())
    return f"{place} is missing; it is made at the first connect"


def _describe_destination(options: PikaOptions) -> str:
    going = f"events go to exchange '{options.exchange}', and from there to every bound queue"
    if not options.exchange:
        going = f"events go to queue '{options.queue_names[0]}' alone, through the default exchange"
    if options.queue_option == "queue":
        return f"{going}; Rasa 3 passes over 'queue', {_DEFAULT}"
    if options.exchange_name == "":
        return f"{going}; Rasa 3 has no such way, {_DEFAULT}"
    return f"{going}, as with Rasa 3"


def _describe_login(server: Server) -> str:
    user = f"as '{server.username}', virtual host '{server.virtual_host}'"
    if server.tls is None:
        return f"{user}, without TLS"
    checked = "with" if server.tls.ssl_check_hostname else "without"
    return f"{user}, TLS {checked} hostname check"
