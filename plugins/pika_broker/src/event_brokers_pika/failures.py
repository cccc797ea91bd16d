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
from event_brokers_pika.parameters import describe_server

BLOCKED = "RabbitMQ blocks publishers, by a memory or disk alarm"
# reply codes: AMQP 0-9-1, section 1.1
_ACCESS_REFUSED, _NOT_FOUND, _RESOURCE_LOCKED, _PRECONDITION_FAILED = 403, 404, 405, 406
_FRAME_ERROR, _NOT_ALLOWED = 501, 530
_CLOSED_IN_HANDSHAKE = re.compile(r"ConnectionClosedByBroker: \((\d+)\) (['\"])(.*)\2")
_NO_RIGHT = re.compile(r"access to (queue|exchange|topic) '(.*)' in vhost")
_ABSENT = re.compile(r"no (queue|exchange) '")
_TOO_LARGE = re.compile(r"message size \d+ is larger than .*?(\d+)")
_UNACKNOWLEDGED = "delivery acknowledgement"
_OTHER_TYPE = re.compile(r"'type' for exchange '(.*)' in vhost .* current is '(.*)'")


@dataclass(frozen=True)
class Close:
    """Why RabbitMQ closed a connection or a channel.

    Attributes:
        code: the reply code.
        text: the reply text.
        in_handshake: whether it was before the connection was open.
    """

    code: int
    text: str
    in_handshake: bool


def translate(
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
    causes = list(_find_causes(error))
    found = (_explain_mistake(cause, parameters, rights_on_queue) for cause in causes)
    wrong = next((sentence for sentence in found if sentence), None)
    if wrong is not None:
        return ConfigurationError(wrong, confirmed)
    return BrokerUnavailable(_explain_absence(causes, parameters), confirmed)


def find_size_limit(error: BaseException) -> int | None:
    """Return the most bytes that RabbitMQ takes, where it closed a channel over a larger event."""
    closed = _find_close(error)
    found = _TOO_LARGE.search(closed.text) if closed else None
    return int(found[1]) if found else None


def is_about_a_frame(error: BaseException) -> bool:
    """Return whether RabbitMQ closed a connection because what stands beside a body is too long."""
    closed = _find_close(error)
    return closed is not None and closed.code == _FRAME_ERROR and "too_large" in closed.text


def is_about_a_stream(error: BaseException) -> bool:
    """Return whether RabbitMQ refused a consumer in a way in which only streams do."""
    closed = _find_close(error)
    return closed is not None and "prefetch count is not set" in closed.text


def is_not_found(error: BaseException) -> bool:
    """Return whether RabbitMQ closed a channel because it has no such queue or exchange."""
    closed = _find_close(error)
    # 404 is also the answer about a queue whose node is down, which is there all the same
    return closed is not None and closed.code == _NOT_FOUND and bool(_ABSENT.search(closed.text))


def find_type_of_exchange(error: BaseException) -> str | None:
    """Return the type of the exchange that was declared with another one; None otherwise."""
    closed = _find_close(error)
    found = _OTHER_TYPE.search(closed.text) if closed else None
    return found[2] if found else None


def _find_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that pika has packed into it."""
    yield error
    packed = [*getattr(error, "exceptions", ()), *error.args, error.__cause__]
    packed.append(getattr(error, "exception", None))
    for inner in packed:
        if isinstance(inner, BaseException) and inner is not error:
            yield from _find_causes(inner)


def _find_close(error: BaseException) -> Close | None:
    if isinstance(error, (exceptions.ConnectionClosed, exceptions.ChannelClosed)):
        return Close(error.reply_code, error.reply_text, in_handshake=False)
    # pika keeps of what closed a connection in its handshake only the repr
    found = _CLOSED_IN_HANDSHAKE.search(str(error.args[0]) if error.args else "")
    return Close(int(found[1]), found[3], in_handshake=True) if found else None


def _explain_mistake(
    error: BaseException, parameters: pika.ConnectionParameters, rights_on_queue: str
) -> str | None:
    """Return what a person must change; None where nothing is known."""
    if isinstance(error, ssl.SSLError):
        return _explain_tls(error, parameters)
    if isinstance(error, exceptions.IncompatibleProtocolError):
        return _explain_silence(parameters)
    closed = _find_close(error)
    if closed is None:
        return None
    if closed.in_handshake:
        return _explain_login(closed, parameters)
    return _explain_use(closed, parameters, rights_on_queue)


def _explain_tls(error: ssl.SSLError, parameters: pika.ConnectionParameters) -> str | None:
    return tls.failure(error, describe_server(parameters), parameters.host)


def _explain_silence(parameters: pika.ConnectionParameters) -> str | None:
    if parameters.ssl_options is not None:
        refusal = tls.refusal_after_handshake(parameters)
        return None if refusal is None else _explain_tls(refusal, parameters)
    if tls.is_spoken_by(parameters):
        return f"event_broker.url: '{describe_server(parameters)}' speaks TLS; write amqps://"
    return None


def _explain_login(closed: Close, parameters: pika.ConnectionParameters) -> str | None:
    server, user = describe_server(parameters), parameters.credentials.username
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


def _explain_use(
    closed: Close, parameters: pika.ConnectionParameters, rights_on_queue: str
) -> str | None:
    server, user = describe_server(parameters), parameters.credentials.username
    option = "exchange_name" if "exchange" in closed.text else "queue"
    if closed.code == _ACCESS_REFUSED and (found := _NO_RIGHT.search(closed.text)):
        kind, name = found.groups()
        rights = rights_on_queue if kind == "queue" else _list_rights_on_exchange(name)
        return (
            f"event_broker.username: '{server}' does not let the user '{user}' use "
            f"{kind} '{name}'; grant {rights} on it with rabbitmqctl set_permissions"
        )
    if closed.code == _ACCESS_REFUSED:
        return f"event_broker.{option}: '{server}' refuses it ({closed.text}); name another"
    if closed.code == _RESOURCE_LOCKED:
        return f"event_broker.{option}: belongs to another connection ({closed.text}); name another"
    if closed.code == _PRECONDITION_FAILED and "invalid arg" in closed.text:
        return f"event_broker.queue_arguments: '{server}' refuses them ({closed.text}); change them"
    if closed.code == _PRECONDITION_FAILED and _UNACKNOWLEDGED not in closed.text:
        return (
            f"event_broker.{option}: '{server}' refuses it ({closed.text}); "
            "name another, or change it there"
        )
    return None


def _list_rights_on_exchange(name: str) -> str:
    """Return the rights of which one is missing: RabbitMQ 3 does not say which."""
    return "write" if name == "amq.default" else "configure, read and write"


def _explain_absence(causes: list[BaseException], parameters: pika.ConnectionParameters) -> str:
    server = describe_server(parameters)
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
    closed = next((found for cause in causes if (found := _find_close(cause))), None)
    if closed and _UNACKNOWLEDGED in closed.text:
        return f"{server} takes its events back, one waited longer than its consumer_timeout"
    text = closed.text if closed else type(causes[-1]).__name__
    return f"{server}: connection lost ({text})"
