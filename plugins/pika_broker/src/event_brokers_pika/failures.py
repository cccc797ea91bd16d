"""What an error of RabbitMQ or pika means for delivery, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pika import exceptions

from event_brokers import BrokerUnavailable, ConfigurationError, EventBrokersError
from event_brokers.plugin.causes import causes_of
from event_brokers.plugin.network import connection_problem
from event_brokers.plugin.tls import client_context, handshake_problem
from event_brokers_pika.pika_internals import SILENT_IN_HANDSHAKE
from event_brokers_pika.probe import find_refusal_after_handshake, speaks_tls
from event_brokers_pika.server import Server

BLOCKED = "RabbitMQ blocks publishers, by a memory or disk alarm"
# reply codes: AMQP 0-9-1, section 1.1
_ACCESS_REFUSED, _NOT_FOUND, _RESOURCE_LOCKED, _PRECONDITION_FAILED = 403, 404, 405, 406
_FRAME_ERROR, _NOT_ALLOWED = 501, 530
_CLOSED_IN_HANDSHAKE = re.compile(r"ConnectionClosedByBroker: \((\d+)\) (['\"])(.*)\2")
_NO_RIGHT = re.compile(r"access to (queue|exchange|topic) '(.*)' in vhost")
_ABSENT = re.compile(r"no (queue|exchange) '")
_TOO_LARGE = re.compile(r"message size \d+ is larger than .*?(\d+)")
_UNACKNOWLEDGED = "delivery acknowledgement"
_OTHER_DURABILITY = re.compile(r"'durable' for exchange '.*' in vhost .* current is 'false'")
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
    server: Server,
    confirmed: Iterable[str] = (),
    rights_on_queue: str = "configure and write",
) -> EventBrokersError:
    """Return the error that tells the core what to do.

    Parameters:
        error: what pika raised, or why it closed a connection or channel.
        server: where it came from, for the words.
        confirmed: ids of the events that RabbitMQ confirmed before.
        rights_on_queue: those of which one is missing where RabbitMQ refuses a queue.
    """
    mistake = _explain_mistake(error, server, rights_on_queue)
    if mistake is not None:
        return ConfigurationError(mistake, confirmed)
    return BrokerUnavailable(_explain_absence(error, server), confirmed)


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


def is_about_durability(error: BaseException) -> bool:
    """Return whether an exchange was declared as a durable one, and is none."""
    closed = _find_close(error)
    return closed is not None and bool(_OTHER_DURABILITY.search(closed.text))


def find_type_of_exchange(error: BaseException) -> str | None:
    """Return the type of the exchange that was declared with another one; None otherwise."""
    closed = _find_close(error)
    found = _OTHER_TYPE.search(closed.text) if closed else None
    return found[2] if found else None


def _find_close(error: BaseException) -> Close | None:
    for cause in causes_of(error):
        if isinstance(cause, (exceptions.ConnectionClosed, exceptions.ChannelClosed)):
            return Close(cause.reply_code, cause.reply_text, in_handshake=False)
        # pika keeps of what closed a connection in its handshake only the repr
        found = _CLOSED_IN_HANDSHAKE.search(str(cause.args[0]) if cause.args else "")
        if found is not None:
            return Close(int(found[1]), found[3], in_handshake=True)
    return None


def _explain_mistake(error: BaseException, server: Server, rights_on_queue: str) -> str | None:
    """Return what a person must change; None where nothing is known."""
    if server.tls is not None:
        problem = handshake_problem(error, str(server.address), server.tls)
        if problem is not None:
            return problem
    if _is_caused_by(error, exceptions.IncompatibleProtocolError):
        return _explain_silence(server)
    closed = _find_close(error)
    if closed is None:
        return None
    if closed.in_handshake:
        return _explain_login(closed, server)
    return _explain_use(closed, server, rights_on_queue)


def _explain_silence(server: Server) -> str | None:
    if server.tls is not None:
        refusal = find_refusal_after_handshake(server.address, client_context(server.tls))
        if refusal is None:
            return None
        return handshake_problem(refusal, str(server.address), server.tls)
    if speaks_tls(server.address):
        return f"event_broker.url: '{server.address}' speaks TLS; write amqps://"
    return None


def _explain_login(closed: Close, server: Server) -> str | None:
    if closed.code == _ACCESS_REFUSED:
        return (
            f"event_broker.password: '{server.address}' refuses the user '{server.username}'; "
            "check username and password"
        )
    if closed.code != _NOT_ALLOWED or "limit" in closed.text:
        return None
    if closed.text.endswith("not found"):
        return (
            f"event_broker.virtual_host: '{server.address}' has no '{server.virtual_host}'; "
            "make it with rabbitmqctl add_vhost, or name another"
        )
    return (
        f"event_broker.virtual_host: '{server.address}' does not let the user "
        f"'{server.username}' into '{server.virtual_host}'; "
        "grant it with rabbitmqctl set_permissions"
    )


def _explain_use(closed: Close, server: Server, rights_on_queue: str) -> str | None:
    option = "exchange_name" if "exchange" in closed.text else "queue"
    where, answer = f"'{server.address}'", closed.text
    if closed.code == _ACCESS_REFUSED and (found := _NO_RIGHT.search(answer)):
        kind, name = found.groups()
        rights = rights_on_queue if kind == "queue" else _list_rights_on_exchange(name)
        return (
            f"event_broker.username: {where} does not let the user '{server.username}' use "
            f"{kind} '{name}'; grant {rights} on it with rabbitmqctl set_permissions"
        )
    if closed.code == _ACCESS_REFUSED:
        return f"event_broker.{option}: {where} refuses it ({answer}); name another"
    if closed.code == _RESOURCE_LOCKED:
        return f"event_broker.{option}: belongs to another connection ({answer}); name another"
    if closed.code != _PRECONDITION_FAILED or _UNACKNOWLEDGED in answer:
        return None
    if "invalid arg" in answer:
        return f"event_broker.queue_arguments: {where} refuses them ({answer}); change them"
    return f"event_broker.{option}: {where} refuses it ({answer}); name another, or change it there"


def _list_rights_on_exchange(name: str) -> str:
    """Return the rights of which one is missing: RabbitMQ 3 does not say which."""
    return "write" if name == "amq.default" else "configure, read and write"


def _explain_absence(error: BaseException, server: Server) -> str:
    """Return why RabbitMQ cannot be used now."""
    if _is_caused_by(error, exceptions.IncompatibleProtocolError):
        return f"{server.address} does not greet as RabbitMQ does; check host and port"
    closed = _find_close(error)
    if closed and _UNACKNOWLEDGED in closed.text:
        return (
            f"{server.address} takes its events back, one waited longer than its consumer_timeout"
        )
    if closed and closed.code == _NOT_FOUND:
        return f"{server.address} answered {closed.text}"
    if closed:
        return f"{server.address}: connection lost ({closed.text})"
    if _is_caused_by(error, exceptions.ConnectionBlockedTimeout):
        return BLOCKED
    if _is_caused_by(error, exceptions.ConsumerCancelled):
        return f"{server.address} ended the consumer; the node of its queue may have ended"
    if _is_caused_by(error, exceptions.AMQPHeartbeatTimeout, SILENT_IN_HANDSHAKE):
        return f"{server.address} does not answer"
    return connection_problem(error, server.address) or f"{server.address} closed the connection"


def _is_caused_by(error: BaseException, *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes_of(error))
