"""The option `url`: a host, host:port, or an AMQP URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

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
    """

    host: str
    port: int | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    virtual_host: str | None = None
    scheme: str | None = None


def parse(text: str) -> Url:
    """Return what a host, host:port or URL stands for, as RabbitMQ's URI specification has it.

    Parameters:
        text: each part of a URL but the scheme may be percent-encoded.

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
    )


def _refuse_unusable(text: str, url: SplitResult, port: int | None) -> None:
    if url.scheme not in ("amqp", "amqps"):
        raise ValueError(f"'{url.scheme}://' is not amqp:// or amqps://; {_FORM}")
    if "@" in url.path + url.query + url.fragment:
        raise ValueError("percent-encode '/', '?' and '#' in user and password, as %2F, %3F, %23")
    if url.query or url.fragment:
        raise ValueError(
            "a query has no effect; give options such as heartbeat and ssl_cafile instead"
        )
    if "://" not in text and (url.username is not None or url.path):
        raise ValueError("only a URL has more than host:port; begin it with amqp:// or amqps://")
    if not url.hostname:
        raise ValueError(f"no host; {_FORM}")
    if port == 0 or any(character.isspace() for character in text):
        raise ValueError(f"host or port cannot be read; {_FORM}")


def _decode(part: str | None) -> str | None:
    return None if part is None else unquote(part)
