"""From the options `ssl_*` to a TLS context, and from a failed handshake to a sentence."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pika

from event_brokers import ConfigurationError
from event_brokers_pika.options import PikaOptions

# Rasa's names
CERTIFICATE_VARIABLE = "RABBITMQ_SSL_CLIENT_CERTIFICATE"
KEY_VARIABLE = "RABBITMQ_SSL_CLIENT_KEY"
_PROBE_SECONDS = 3.0
# verification results of OpenSSL: x509_vfy.h
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)
_NOT_FOR_THIS_HOST = (62, 64)
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")


def client_context(options: PikaOptions) -> ssl.SSLContext | None:
    """Return the TLS context for the options, which always verifies; None without TLS.

    Raises:
        ConfigurationError: a file is missing or is not what it should be.
    """
    certificate, key = _certificate_and_key(options)
    if options.address.scheme != "amqps" and not (options.ssl_cafile or certificate):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = options.ssl_check_hostname
    _load_authorities(context, options.ssl_cafile)
    if certificate:
        _load_certificate(context, certificate, key)
    return context


def failure(error: ssl.SSLError, place: str, host: str) -> str | None:
    """Return the sentence for a handshake that one of the two sides refused; None if not known.

    Parameters:
        error: what the handshake, or the first read after it, raised.
        place: where RabbitMQ is, in words.
        host: the name that the certificate should have.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return _refused_by_us(error, place, host)
    reason = error.reason or ""
    if "ALERT" in reason:
        alert = reason.partition("ALERT_")[2].lower().replace("_", " ")
        return (
            f"event_broker.ssl_certfile: '{place}' refuses the client's certificate, or its lack: "
            f"{alert}; give one that is signed by an authority which RabbitMQ trusts"
        )
    if reason in _NOT_TLS:
        return (
            f"event_broker.port: '{place}' does not speak TLS; "
            "give the port of its TLS listener, or take TLS out"
        )
    return None


def is_spoken_by(parameters: pika.ConnectionParameters) -> bool:
    """Return whether a server that hung up in plain text answers a TLS handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # nothing is sent but the handshake: the question is what is there, not who
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _handshake(parameters, context):
            return True
    except OSError:
        return False


def refusal_after_handshake(parameters: pika.ConnectionParameters) -> ssl.SSLError | None:
    """Return why the server ends every TLS connection behind its handshake; None if it does not.

    With TLS 1.3 a client's certificate is refused only then. Whoever sends at once, as pika does,
    finds the connection closed and does not see the reason.
    """
    try:
        with _handshake(parameters, parameters.ssl_options.context) as connection:
            connection.recv(1)
    except ssl.SSLError as error:
        return error
    except OSError:
        pass  # it says nothing, or it is gone
    return None


@contextmanager
def _handshake(
    parameters: pika.ConnectionParameters, context: ssl.SSLContext
) -> Iterator[ssl.SSLSocket]:
    address = (parameters.host, parameters.port)
    with (
        socket.create_connection(address, _PROBE_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=parameters.host) as encrypted,
    ):
        yield encrypted


def _certificate_and_key(options: PikaOptions) -> tuple[str | None, str | None]:
    if options.ssl_certfile:
        return options.ssl_certfile, options.ssl_keyfile
    return os.environ.get(CERTIFICATE_VARIABLE), os.environ.get(KEY_VARIABLE)


def _load_authorities(context: ssl.SSLContext, file: str | None) -> None:
    if file is None:
        context.load_default_certs()
        return
    _read("ssl_cafile", file)
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as error:
        raise _error("ssl_cafile", f"'{file}' holds no certificate in PEM form") from error


def _load_certificate(context: ssl.SSLContext, file: str, key_file: str | None) -> None:
    _read("ssl_certfile", file)
    key_option, key_place = ("ssl_keyfile", key_file) if key_file else ("ssl_certfile", file)
    if b"ENCRYPTED" in _read(key_option, key_place):
        # OpenSSL would ask for the password on the terminal
        raise _error(key_option, f"the key in '{key_place}' is encrypted; give one that is not")
    try:
        context.load_cert_chain(file, key_file)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            text = f"'{key_place}' is not the key of the certificate in '{file}'"
            raise _error(key_option, text) from error
        text = f"no certificate in '{file}' with a key in '{key_place}', in PEM form"
        raise _error("ssl_certfile", text) from error


def _read(option: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        reason = (error.strerror or "not readable").lower()
        raise _error(option, f"'{file}' cannot be read: {reason}") from error


def _refused_by_us(error: ssl.SSLCertVerificationError, place: str, host: str) -> str:
    if error.verify_code in _NOT_FOR_THIS_HOST:
        return (
            f"event_broker.ssl_check_hostname: the certificate of '{place}' is not for '{host}'; "
            "use a name it is for"
        )
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return (
            f"event_broker.ssl_cafile: the certificate of '{place}' is signed by an authority "
            "that is not trusted; give the file of that authority"
        )
    return (
        f"event_broker.ssl_cafile: the certificate of '{place}' is not valid: "
        f"{error.verify_message}; renew it there"
    )


def _error(option: str, text: str) -> ConfigurationError:
    return ConfigurationError(f"event_broker.{option}: {text}")
