"""The TLS options that every network type has: their context, and failed handshakes in words."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Meta

from event_brokers.certificates import note_shown_certificates
from event_brokers.errors import ConfigurationError
from event_brokers.log import logger
from event_brokers.options import Options
from event_brokers.plugin.causes import causes_of
from event_brokers.plugin.network import Address, tls_reason
from event_brokers.secret import Secret
from event_brokers.wording import system_reason

# verification results of OpenSSL: x509_vfy.h
_NOT_YET_VALID, _EXPIRED, _SELF_SIGNED = 9, 10, 18
_UNKNOWN_AUTHORITY = (2, 19, 20, 21)
_NOT_FOR_THIS_HOST = (62, 64)
_HOST_IN_MESSAGE = re.compile(r"not valid for '(.*)'")
# alerts by which a server refuses a client's certificate, or the lack of one: RFC 8446, 6.2
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
_TOO_OLD = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "INSUFFICIENT_SECURITY")
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "HTTP_REQUEST",
)

_warned_of: set[tuple[str, Address]] = set()


class TlsOptions(Options, frozen=True, kw_only=True):
    """The options of TLS; the base of an options class that gains them.

    Attributes:
        port_option: the option that says at which port the server listens, for the sentences.
    """

    port_option: ClassVar[str] = "port"
    refuses_empty: ClassVar[Mapping[str, str | None]] = {"require_tls": None}

    ssl_cafile: Annotated[
        str | None,
        Meta(description="PEM file of the authorities to trust; the system's where not given"),
    ] = None
    ssl_certfile: Annotated[
        str | None, Meta(description="PEM file of the client's certificate, and its chain")
    ] = None
    ssl_keyfile: Annotated[
        str | None, Meta(description="PEM file of the client's key; in ssl_certfile if not given")
    ] = None
    ssl_password: Annotated[
        Secret | None, Meta(description="password of an encrypted client key")
    ] = None
    ssl_check_hostname: Annotated[
        bool, Meta(description="whether the server's certificate must be for the host's name")
    ] = True
    require_tls: Annotated[bool, Meta(description="refuse any connection without TLS")] = False

    def refuse_key_without_certificate(self) -> None:
        """Refuse half a client certificate; for `__post_init__`.

        Raises:
            ValueError: a key or its password is given, and no certificate.
        """
        for option in ("ssl_keyfile", "ssl_password"):
            if getattr(self, option) is not None and self.ssl_certfile is None:
                raise ValueError(f"{option}: has no effect without ssl_certfile; give both")


def client_context(options: TlsOptions) -> ssl.SSLContext:
    """Return the TLS context for the options, which always verifies.

    Raises:
        ConfigurationError: a file is missing or is not what it should be, or the key's password
            is missing or wrong.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = options.ssl_check_hostname
    _load_authorities(context, options)
    _load_client_certificate(context, options)
    note_shown_certificates(context)
    return context


def handshake_problem(error: BaseException, server: str, options: TlsOptions) -> str | None:
    """Return what a person must change where TLS failed; None where the error is not about that.

    Parameters:
        error: what the handshake, or the first read after it, raised: with TLS 1.3 a server
            refuses a client's certificate only after the client's side of the handshake. The
            errors it was raised from are looked at too.
        server: where it is, in words, such as `host:port`.
        options: which files were used.
    """
    for cause in causes_of(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _refused_by_us(cause, server, options)
        if isinstance(cause, ssl.SSLError):
            return _refused_by_server(tls_reason(cause), server, options)
    return None


def refuse_plain_text(options: TlsOptions, server: str, way_out: str) -> None:
    """Refuse to speak without TLS where `require_tls` is set; call it before anything is sent.

    Parameters:
        options: of the plugin.
        server: where it is, in words, such as `host:port`.
        way_out: how this type gets TLS, such as "write amqps://".

    Raises:
        ConfigurationError: `require_tls` is set.
    """
    if options.require_tls:
        raise _error("require_tls", f"the connection to '{server}' would have no TLS; {way_out}")


def warn_of_plain_password(
    type_name: str, address: Address, way_out: str, what: str = "the password"
) -> None:
    """Warn of a password that can be read on its way; call it before it is sent without TLS.

    Says so once for each address in a process, and never of one that is on this machine. Where
    the password itself is not sent, as with SCRAM, there is nothing to warn of.

    Parameters:
        type_name: the plugin's, such as "kafka".
        address: where the password goes.
        way_out: how this type gets TLS, such as "write amqps://".
        what: what else than a password could be read, such as "the token".
    """
    if address.is_loopback or (type_name, address) in _warned_of:
        return
    _warned_of.add((type_name, address))
    logger.warning(
        "%s: %s can be read on its way to '%s', for there is no TLS; %s, and "
        "require_tls: true, so that it is never sent without",
        type_name,
        what,
        address,
        way_out,
    )


def _load_authorities(context: ssl.SSLContext, options: TlsOptions) -> None:
    file = options.ssl_cafile
    if file is None:
        context.load_default_certs()
        return
    _read("ssl_cafile", file)
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as error:
        raise _error("ssl_cafile", f"'{file}' holds no certificate in PEM form") from error


def _load_client_certificate(context: ssl.SSLContext, options: TlsOptions) -> None:
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
    except (ssl.SSLError, ValueError) as error:  # ValueError: longer than any password may be
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
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
        raise _error(option, f"'{file}' cannot be read: {system_reason(error)}") from error
    except ValueError as error:  # a path cannot hold a NUL
        raise _error(option, "is not the path of a file") from error


def _refused_by_us(error: ssl.SSLCertVerificationError, server: str, options: TlsOptions) -> str:
    the_certificate = f"the certificate of '{server}'"
    # only what OpenSSL itself raises has the attributes
    code, message = getattr(error, "verify_code", 0), getattr(error, "verify_message", str(error))
    if code in _NOT_FOR_THIS_HOST:
        found = _HOST_IN_MESSAGE.search(message)
        host = found[1] if found else server
        return _sentence(
            "ssl_check_hostname", f"{the_certificate} is not for '{host}'; use a name it is for"
        )
    trusted = "the system's" if options.ssl_cafile is None else f"'{options.ssl_cafile}'"
    if code in _UNKNOWN_AUTHORITY:
        text = (
            f"is signed by an authority that is not in {trusted}; give the file of that authority"
        )
    elif code == _SELF_SIGNED:
        text = f"is signed by itself and is not in {trusted}; give its own file"
    elif code == _EXPIRED:
        text = "has expired; renew it there"
    elif code == _NOT_YET_VALID:
        text = "is not valid yet; compare the clocks of both machines, or renew it there"
    else:
        text = f"is not valid: {message}; renew it there"
    return _sentence("ssl_cafile", f"{the_certificate} {text}")


def _refused_by_server(reason: str, server: str, options: TlsOptions) -> str | None:
    if any(f"ALERT_{alert}" in reason for alert in _CLIENT_CERTIFICATE_ALERTS):
        return _sentence("ssl_certfile", _client_certificate_problem(reason, server, options))
    if any(word in reason for word in _TOO_OLD):
        return _sentence(
            options.port_option, f"'{server}' offers no TLS 1.2 or later; enable it there"
        )
    if "HANDSHAKE_FAILURE" in reason:
        return _sentence("ssl_certfile", _handshake_failure(server, options))
    if any(word in reason for word in _NOT_TLS):
        return _sentence(
            options.port_option,
            f"'{server}' does not speak TLS; give the port of its TLS listener, or take TLS out",
        )
    return None  # a broken connection, which may be whole the next time


def _client_certificate_problem(reason: str, server: str, options: TlsOptions) -> str:
    if options.ssl_certfile is None:
        return f"missing; '{server}' asks for a client certificate"
    alert = reason.partition("ALERT_")[2].lower().replace("_", " ")
    return (
        f"'{server}' refuses the client certificate in '{options.ssl_certfile}': {alert}; "
        "have it signed by an authority that the server trusts"
    )


def _handshake_failure(server: str, options: TlsOptions) -> str:
    # TLS 1.2 has one word for both
    if options.ssl_certfile is None:
        return f"missing; '{server}' asks for a client certificate, or shares no cipher with us"
    return (
        f"'{server}' refuses the client certificate in '{options.ssl_certfile}', "
        "or shares no cipher with us"
    )


def _sentence(option: str, text: str) -> str:
    return f"event_broker.{option}: {text}"


def _error(option: str, text: str) -> ConfigurationError:
    return ConfigurationError(_sentence(option, text))
