"""What an error of RabbitMQ or pika means for delivery, in words."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pika
from pika import exceptions

from event_brokers import BrokerUnavailable, ConfigurationError
from event_brokers.errors import EventBrokersError
from event_brokers_pika import tls
from event_brokers_pika.parameters import place

BLOCKED = "RabbitMQ blocks publishers, by a memory or disk alarm"
# reply codes: AMQP 0-9-1, section 1.1
_ACCESS_REFUSED, _NOT_FOUND, _RESOURCE_LOCKED, _PRECONDITION_FAILED = 403, 404, 405, 406
_NOT_ALLOWED = 530
_CLOSED_IN_HANDSHAKE = re.compile(r"ConnectionClosedByBroker: \((\d+)\) (['\"])(.*)\2")
_NO_RIGHT = re.compile(r"access to (queue|exchange|topic) '(.*)' in vhost")
_TOO_LARGE = re.compile(r"message size \d+ is larger than .*?(\d+)")
_UNACKNOWLEDGED = "delivery acknowledgement"
_OTHER_TYPE = re.compile(r"'type' for exchange '(.*)' in vhost .* current is '(.*)'")


@dataclass(frozen=True)
class Closed:
    """Why RabbitMQ closed a connection or a channel.

    Attributes:
        code: the reply code.
        text: the reply text.
        in_handshake: whether it was before the connection was open.
    """

    code: int
    text: str
    in_handshake: bool


def meaning(
    error: BaseException,
    parameters: pika.ConnectionParameters,
    confirmed: Iterable[str] = (),
    rights_on_queue: str = "configure and write",
) -> EventBrokersError:
    """Return the error that tells the core what to do.

    Parameters:
        error: what pika raised, or why it closed a connection or channel.
        parameters: of the connection, for the words.
        confirmed: ids of the events that RabbitMQ confirmed before.
        rights_on_queue: those of which one is missing where RabbitMQ refuses a queue.
    """
    causes = list(_causes(error))
    found = (_wrong(cause, parameters, rights_on_queue) for cause in causes)
    wrong = next((sentence for sentence in found if sentence), None)
    if wrong is not None:
        return ConfigurationError(wrong, confirmed)
    return BrokerUnavailable(_unavailable(causes, parameters), confirmed)


def size_limit(error: BaseException) -> int | None:
    """Return the most bytes that RabbitMQ takes, where it closed a channel over a larger event."""
    closed = _closed(error)
    found = _TOO_LARGE.search(closed.text) if closed else None
    return int(found[1]) if found else None


def is_not_found(error: BaseException) -> bool:
    """Return whether RabbitMQ closed a channel because it has no such queue or exchange."""
    closed = _closed(error)
    return closed is not None and closed.code == _NOT_FOUND


def type_of_existing_exchange(error: BaseException) -> str | None:
    """Return the type of the exchange that was declared with another one; None otherwise."""
    closed = _closed(error)
    found = _OTHER_TYPE.search(closed.text) if closed else None
    return found[2] if found else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that pika has packed into it."""
    yield error
    packed = [*getattr(error, "exceptions", ()), *error.args, error.__cause__]
    packed.append(getattr(error, "exception", None))
    for inner in packed:
        if isinstance(inner, BaseException) and inner is not error:
            yield from _causes(inner)


def _closed(error: BaseException) -> Closed | None:
    if isinstance(error, (exceptions.ConnectionClosed, exceptions.ChannelClosed)):
        return Closed(error.reply_code, error.reply_text, in_handshake=False)
    # pika keeps of what closed a connection in its handshake only the repr
    found = _CLOSED_IN_HANDSHAKE.search(str(error.args[0]) if error.args else "")
    return Closed(int(found[1]), found[3], in_handshake=True) if found else None


def _wrong(
    error: BaseException, parameters: pika.ConnectionParameters, rights_on_queue: str
) -> str | None:
    """Return what a person must change; None where nothing is known."""
    if isinstance(error, ssl.SSLError):
        return _tls(error, parameters)
    if isinstance(error, exceptions.IncompatibleProtocolError):
        return _no_greeting(parameters)
    closed = _closed(error)
    if closed is None:
        return None
    if closed.in_handshake:
        return _login(closed, parameters)
    return _use(closed, parameters, rights_on_queue)


def _tls(error: ssl.SSLError, parameters: pika.ConnectionParameters) -> str | None:
    return tls.failure(error, place(parameters), parameters.host)


def _no_greeting(parameters: pika.ConnectionParameters) -> str | None:
    if parameters.ssl_options is not None:
        refusal = tls.refusal_after_handshake(parameters)
        return None if refusal is None else _tls(refusal, parameters)
    if tls.is_spoken_by(parameters):
        return f"event_broker.url: '{place(parameters)}' speaks TLS; write amqps://"
    return None


def _login(closed: Closed, parameters: pika.ConnectionParameters) -> str | None:
    server, user = place(parameters), parameters.credentials.username
    if closed.code == _ACCESS_REFUSED:
        return (
            f"event_broker.password: '{server}' refuses the user '{user}'; "
            "check username and password"
        )
    if closed.code != _NOT_ALLOWED or "limit" in closed.text:
        return None
    if closed.text.endswith("not found"):
        return (
            f"event_broker.virtual_host: '{server}' has no '{parameters.virtual_host}'; "
            "make it with rabbitmqctl add_vhost, or name another"
        )
    return (
        f"event_broker.virtual_host: '{server}' does not let the user '{user}' into "
        f"'{parameters.virtual_host}'; grant it with rabbitmqctl set_permissions"
    )


def _use(closed: Closed, parameters: pika.ConnectionParameters, rights_on_queue: str) -> str | None:
    server, user = place(parameters), parameters.credentials.username
    option = "exchange_name" if "exchange" in closed.text else "queue"
    if closed.code == _ACCESS_REFUSED and (found := _NO_RIGHT.search(closed.text)):
        kind, name = found.groups()
        rights = rights_on_queue if kind == "queue" else _rights_on_exchange(name)
        return (
            f"event_broker.username: '{server}' does not let the user '{user}' use "
            f"{kind} '{name}'; grant {rights} on it with rabbitmqctl set_permissions"
        )
    if closed.code == _ACCESS_REFUSED:
        return f"event_broker.{option}: '{server}' refuses it ({closed.text}); name another"
    if closed.code == _RESOURCE_LOCKED:
        return f"event_broker.{option}: belongs to another connection ({closed.text}); name another"
    if closed.code == _PRECONDITION_FAILED and _UNACKNOWLEDGED not in closed.text:
        return (
            f"event_broker.{option}: '{server}' refuses it ({closed.text}); "
            "name another, or change it there"
        )
    return None


def _rights_on_exchange(name: str) -> str:
    """Return the rights of which one is missing: RabbitMQ 3 does not say which."""
    return "write" if name == "amq.default" else "configure, read and write"


def _unavailable(causes: list[BaseException], parameters: pika.ConnectionParameters) -> str:
    server = place(parameters)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"{server} refused the connection"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"no address found for host '{parameters.host}'"
    if any(isinstance(cause, exceptions.ConnectionBlockedTimeout) for cause in causes):
        return BLOCKED
    if any("Timeout" in type(cause).__name__ for cause in causes):
        return f"{server} does not answer"
    if any(isinstance(cause, exceptions.IncompatibleProtocolError) for cause in causes):
        return f"{server} does not greet as RabbitMQ does; check host and port"
    if any(isinstance(cause, exceptions.ConsumerCancelled) for cause in causes):
        return f"{server} ended the consumer; its queue may have been deleted"
    closed = next((found for cause in causes if (found := _closed(cause))), None)
    if closed and _UNACKNOWLEDGED in closed.text:
        return f"{server} takes its events back, one waited longer than its consumer_timeout"
    text = closed.text if closed else type(causes[-1]).__name__
    return f"{server}: connection lost ({text})"
