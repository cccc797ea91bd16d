"""What an error of RabbitMQ or pika means for delivery, in words."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator

import pika
from pika import exceptions

from event_brokers import BrokerUnavailable, ConfigurationError, RejectedEvents
from event_brokers.errors import PublishError
from event_brokers_pika.address import place

_NOT_ALLOWED, _ACCESS_REFUSED = 530, 403
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
_LOCKED, _PRECONDITION_FAILED = 405, 406


def meaning(
    error: BaseException, parameters: pika.ConnectionParameters, confirmed: Iterable[str] = ()
) -> PublishError:
    """Return the error that tells the core what to do.

    Parameters:
        error: what pika raised, or why it closed a connection or channel.
        parameters: of the connection, for the words.
        confirmed: ids of the events that RabbitMQ confirmed before.
    """
    causes = list(_causes(error))
    for words in (_login, _tls, _closed):
        wrong = next((found for cause in causes if (found := words(cause, parameters))), None)
        if wrong is not None:
            return ConfigurationError(wrong, confirmed)
    if any(_is_too_large(cause) for cause in causes):
        return RejectedEvents({}, "larger than RabbitMQ's max_message_size", confirmed)
    return BrokerUnavailable(_unavailable(causes, parameters), confirmed)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that pika has packed into it."""
    yield error
    packed = [*getattr(error, "exceptions", ()), *error.args, error.__cause__]
    packed.append(getattr(error, "exception", None))
    for inner in packed:
        if isinstance(inner, BaseException) and inner is not error:
            yield from _causes(inner)


def _login(error: BaseException, parameters: pika.ConnectionParameters) -> str | None:
    user = parameters.credentials.username
    if isinstance(error, (exceptions.ProbableAuthenticationError, exceptions.AuthenticationError)):
        return (
            f"event_broker.password: {place(parameters)} refuses the user '{user}'; "
            "check username and password"
        )
    if isinstance(error, exceptions.ProbableAccessDeniedError) or _code(error) == _NOT_ALLOWED:
        return (
            f"event_broker.virtual_host: {place(parameters)} lets the user '{user}' not into "
            f"'{parameters.virtual_host}'; make the virtual host or grant access to it"
        )
    return None


def _tls(error: BaseException, parameters: pika.ConnectionParameters) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        if "Hostname mismatch" in str(error) or "IP address mismatch" in str(error):
            return (
                f"event_broker.url: the certificate of {place(parameters)} is for another host; "
                "use the name that the certificate has"
            )
        return (
            f"event_broker.ssl_cafile: the certificate of {place(parameters)} is not trusted "
            f"({error.verify_message}); name the file of its authority"
        )
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        return (
            f"event_broker.ssl_certfile: {place(parameters)} refuses the client's certificate "
            f"({error.reason}); check ssl_certfile and ssl_keyfile"
        )
    if isinstance(error, ssl.SSLError) and error.reason in (
        "WRONG_VERSION_NUMBER",
        "RECORD_LAYER_FAILURE",
    ):
        return f"event_broker.port: {place(parameters)} does not speak TLS; check port and url"
    return None


def _closed(error: BaseException, parameters: pika.ConnectionParameters) -> str | None:
    text = getattr(error, "reply_text", "")
    if _code(error) == _ACCESS_REFUSED:
        user = parameters.credentials.username
        return f"event_broker.username: RabbitMQ refuses '{user}' ({text}); grant the permission"
    if _code(error) == _LOCKED:
        return f"event_broker.queue: belongs to another connection alone ({text}); name another"
    if _code(error) == _PRECONDITION_FAILED and not _is_too_large(error):
        return f"event_broker.queue: exists and was declared otherwise ({text})"
    return None


def _is_too_large(error: BaseException) -> bool:
    text = getattr(error, "reply_text", "")
    return _code(error) == _PRECONDITION_FAILED and "message size" in text


def _code(error: BaseException) -> int:
    return getattr(error, "reply_code", 0)


def _unavailable(causes: list[BaseException], parameters: pika.ConnectionParameters) -> str:
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"{place(parameters)} refused the connection"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"no address found for host '{parameters.host}'"
    if any(isinstance(cause, exceptions.ConnectionBlockedTimeout) for cause in causes):
        return "RabbitMQ blocks publishers, by a memory or disk alarm"
    if any("Timeout" in type(cause).__name__ for cause in causes):
        return f"{place(parameters)} did not answer in time"
    text = getattr(causes[0], "reply_text", "") or type(causes[-1]).__name__
    return f"{place(parameters)}: connection lost ({text})"
