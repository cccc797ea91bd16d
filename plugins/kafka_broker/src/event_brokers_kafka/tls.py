"""From the options `ssl_*` to a TLS context, and from a failed handshake to a sentence."""

from __future__ import annotations

import ssl
from pathlib import Path

from event_brokers import ConfigurationError
from event_brokers_kafka.addresses import Address
from event_brokers_kafka.options import KafkaOptions

# verification results of OpenSSL: x509_vfy.h
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)
_NOT_FOR_THIS_HOST = (62, 64)
# alerts by which a broker refuses a client's certificate, or the lack of one: RFC 8446, 6.2
_CLIENT_CERTIFICATE_ALERTS = (
    "BAD_CERTIFICATE",
    "CERTIFICATE_REQUIRED",
    "CERTIFICATE_UNKNOWN",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REVOKED",
    "UNSUPPORTED_CERTIFICATE",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
)


def client_context(options: KafkaOptions) -> ssl.SSLContext | None:
    """Return the TLS context for the options, which always verifies; None without TLS.

    Raises:
        ConfigurationError: a file is missing or is not what it should be.
    """
    if not options.uses_tls:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = options.ssl_check_hostname
    _load_authorities(context, options)
    _load_client_certificate(context, options)
    return context


def failure(error: ssl.SSLError, address: Address, options: KafkaOptions) -> ConfigurationError:
    """Return the error for a handshake that one of the two sides refused.

    Parameters:
        error: what the handshake, or the first read after it, raised. With TLS 1.3 a broker
            refuses the client's certificate only after the client's side of the handshake.
        address: the broker's.
        options: which files were used.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return _refused_by_us(error, address, options)
    reason = error.reason or "TLS failed"
    if any(f"ALERT_{alert}" in reason for alert in _CLIENT_CERTIFICATE_ALERTS):
        return _refused_by_broker(reason, address, options)
    if "PROTOCOL_VERSION" in reason or "UNSUPPORTED_PROTOCOL" in reason:
        text = f"'{address}' offers no TLS 1.2 or later; enable it there"
    elif "WRONG_VERSION_NUMBER" in reason:
        text = f"'{address}' does not speak TLS; check the port, or take TLS out"
    else:
        text = f"no TLS with '{address}': {reason.lower().replace('_', ' ')}"
    return ConfigurationError(f"event_broker.security_protocol: {text}")


def _load_authorities(context: ssl.SSLContext, options: KafkaOptions) -> None:
    file = options.ssl_cafile
    if file is None:
        context.load_default_certs()
        return
    _read("ssl_cafile", file)
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as error:
        raise _error("ssl_cafile", f"'{file}' holds no certificate in PEM form") from error


def _load_client_certificate(context: ssl.SSLContext, options: KafkaOptions) -> None:
    file = options.ssl_certfile
    if file is None:
        return
    _read("ssl_certfile", file)
    key_option, key_file = ("ssl_certfile", file)
    if options.ssl_keyfile is not None:
        key_option, key_file = ("ssl_keyfile", options.ssl_keyfile)
    encrypted = b"ENCRYPTED" in _read(key_option, key_file)
    if encrypted and options.ssl_password is None:
        # OpenSSL would ask for it on the terminal
        raise _error("ssl_password", f"missing; the key in '{key_file}' is encrypted")
    password = options.ssl_password.reveal() if options.ssl_password else ""
    try:
        context.load_cert_chain(file, options.ssl_keyfile, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            text = f"'{key_file}' is not the key of the certificate in '{file}'"
            raise _error(key_option, text) from error
        if encrypted:
            raise _error("ssl_password", f"does not open the key in '{key_file}'") from error
        text = f"no certificate in '{file}' with a key in '{key_file}', in PEM form"
        raise _error("ssl_certfile", text) from error


def _read(option: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise _error(option, f"'{file}' cannot be read: {reason}") from error


def _refused_by_us(
    error: ssl.SSLCertVerificationError, address: Address, options: KafkaOptions
) -> ConfigurationError:
    if error.verify_code in _NOT_FOR_THIS_HOST:
        text = f"the certificate of '{address}' is not for '{address.host}'; use a name it is for"
        return _error("ssl_check_hostname", text)
    if error.verify_code in _UNKNOWN_AUTHORITY:
        trusted = "the system's" if options.ssl_cafile is None else f"'{options.ssl_cafile}'"
        text = (
            f"the certificate of '{address}' is signed by an authority that is not in {trusted}; "
            "give the file of that authority"
        )
        return _error("ssl_cafile", text)
    text = f"the certificate of '{address}' is not valid: {error.verify_message}; renew it there"
    return _error("ssl_cafile", text)


def _refused_by_broker(reason: str, address: Address, options: KafkaOptions) -> ConfigurationError:
    if options.ssl_certfile is None:
        text = f"missing; '{address}' asks for a client certificate"
        return _error("ssl_certfile", text)
    alert = reason.partition("ALERT_")[2].lower().replace("_", " ")
    text = (
        f"'{address}' refuses the client certificate in '{options.ssl_certfile}': {alert}; "
        "have it signed by an authority that the broker trusts"
    )
    return _error("ssl_certfile", text)


def _error(option: str, text: str) -> ConfigurationError:
    return ConfigurationError(f"event_broker.{option}: {text}")
