"""The option `url`: where events go, and who signs in there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from event_brokers.plugin.network import Address

DEFAULT_SCHEME = "https"
PORTS = {"http": 80, "https": 443}
_HOST_AND_PORT = re.compile(r"(?:^|@)(?:\[[^@\]]*\]|[^@:]*)(?::[0-9]*)?$")
_FORM = "give https://host/path"


@dataclass(frozen=True)
class Url:
    """What a URL says.

    Attributes:
        scheme: http or https.
        address: of the server.
        target: path and query, as they stand in a request. May hold a secret; not in the repr.
        username: decoded; None where there is none.
        password: decoded; not in the repr.
    """

    scheme: str
    address: Address
    target: str = field(repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def parse(text: str) -> Url:
    """Return what a URL says; one without a scheme is https.

    Parameters:
        text: https://user:password@host:port/path?query, of which only the host must be given.

    Raises:
        ValueError: it cannot be read; says why, and shows no part that may hold a secret.
    """
    if not text.isascii():
        raise ValueError("a character is not ASCII; percent-encode it, and write a host as xn--...")
    if not text.isprintable() or " " in text:
        raise ValueError("holds a blank or a control character; percent-encode it")
    try:
        url = urlsplit(text if "://" in text else f"{DEFAULT_SCHEME}://{text}")
    except ValueError:
        # no cause: its text may show the URL with its password
        raise ValueError(f"cannot be read; {_FORM}") from None
    _refuse_unusable(url)
    user, _, place = url.netloc.rpartition("@")
    username, colon, password = user.partition(":")
    return Url(
        scheme=url.scheme,
        address=Address.parse(place, PORTS[url.scheme]),
        target=(url.path or "/") + (f"?{url.query}" if url.query else ""),
        username=unquote(username) if user else None,
        password=unquote(password) if colon else None,
    )


def _refuse_unusable(url: SplitResult) -> None:
    if url.scheme not in PORTS:
        raise ValueError(f"begins with neither https:// nor http://; {_FORM}")
    if not _HOST_AND_PORT.search(url.netloc):
        # what cannot be a port may be a password that was cut off
        raise ValueError(
            f"host or port cannot be read; {_FORM}, and percent-encode '/', '?' and '#' in user "
            "and password, as %2F, %3F, %23"
        )
    if url.fragment:
        raise ValueError("what stands behind '#' is never sent; take it out")
    if not url.hostname:
        raise ValueError(f"no host; {_FORM}")
