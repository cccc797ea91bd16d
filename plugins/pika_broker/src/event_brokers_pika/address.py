"""The option `url`: a host, host:port, or an AMQP URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_MOST_SECONDS = 65535  # AMQP 0-9-1, connection.tune
_PARAMETERS = {
    "heartbeat": "heartbeat",
    "cafile": "ssl_cafile",
    "certfile": "ssl_certfile",
    "keyfile": "ssl_keyfile",
}
_EFFECTIVE = f"those that have an effect are {', '.join(_PARAMETERS)}"
_INSTEAD = {
    "cacertfile": "write cafile",
    "no_verify_ssl": "TLS is always verified; give cafile, or ssl_check_hostname: false for a "
    "certificate of another host",
    "verify": "TLS is always verified; give cafile",
    "connection_attempts": "connecting goes on until it succeeds",
    "name": "connections are named 'event-brokers'",
}
_FORM = "give host, host:port or amqp(s)://user:password@host:port/vhost"


@dataclass(frozen=True)
class Url:
    """What a host, host:port or URL says; None where it says nothing.

    Attributes:
        host: name or IP address, an IPv6 address without its brackets.
        port: 1 to 65535.
        username: decoded.
        password: decoded; not in the repr.
        virtual_host: decoded.
        scheme: `amqp`, `amqps`, or None for a bare host.
        heartbeat: seconds between heartbeats.
        ssl_cafile: `cafile` of the query, a path.
        ssl_certfile: `certfile`, a path.
        ssl_keyfile: `keyfile`, a path.
    """

    host: str
    port: int | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    virtual_host: str | None = None
    scheme: str | None = None
    heartbeat: int | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None


def parse(text: str) -> Url:
    """Return what a host, host:port or URL stands for, as RabbitMQ's URI specification has it.

    Parameters:
        text: each part of a URL but the scheme may be percent-encoded. Of the parameters behind
            it those are read that aiormq, the client of Rasa, reads (its connection.py).

    Raises:
        ValueError: it cannot be read; says why, and shows no part that may hold a password.
    """
    has_scheme = "://" in text
    try:
        url = urlsplit(text if has_scheme else f"amqp://{text}")
        port = url.port
    except ValueError:
        # no cause: its text may show the URL with its password
        raise ValueError(f"host or port cannot be read; {_FORM}") from None
    _refuse_unusable(text, url, port)
    return Url(
        host=unquote(url.hostname or ""),
        port=port,
        username=_decode(url.username),
        password=_decode(url.password),
        # no path and an empty path are both the default virtual host, and / is written %2F
        virtual_host=_decode(url.path[1:] or None),
        scheme=url.scheme if has_scheme else None,
        **_read_parameters(url),
    )


def _refuse_unusable(text: str, url: SplitResult, port: int | None) -> None:
    if url.scheme not in ("amqp", "amqps"):
        raise ValueError(f"'{url.scheme}://' is not amqp:// or amqps://; {_FORM}")
    if "@" in url.path + url.query + url.fragment:
        raise ValueError("percent-encode '/', '?' and '#' in user and password, as %2F, %3F, %23")
    if url.fragment:
        raise ValueError("what stands behind '#' has no effect; take it out")
    if "://" not in text and (url.username is not None or url.path or url.query):
        raise ValueError("only a URL has more than host:port; begin it with amqp:// or amqps://")
    if not url.hostname:
        raise ValueError(f"no host; {_FORM}")
    if port == 0 or any(character.isspace() for character in text):
        raise ValueError(f"host or port cannot be read; {_FORM}")


def _read_parameters(url: SplitResult) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        if name not in _PARAMETERS:
            raise ValueError(_say_no_parameter(name))
        if _PARAMETERS[name] in found:
            raise ValueError(f"the parameter '{name}' is given twice; take one out")
        if value:
            found[_PARAMETERS[name]] = _read_heartbeat(value) if name == "heartbeat" else value
    if url.scheme != "amqps" and found.keys() - {"heartbeat"}:
        raise ValueError("files of TLS have no effect with amqp://; write amqps://")
    return found


def _say_no_parameter(name: str) -> str:
    if name in _INSTEAD:
        return f"the parameter '{name}' has no effect; {_INSTEAD[name]}"
    # what is no name may be a part of a password
    which = f"'{name}'" if name.isidentifier() else "of the url"
    return f"the parameter {which} is not known; {_EFFECTIVE}"


def _read_heartbeat(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > _MOST_SECONDS:
        raise ValueError(f"heartbeat is not a whole number from 0 to {_MOST_SECONDS}")
    return int(text)


def _decode(part: str | None) -> str | None:
    return None if part is None else unquote(part)
