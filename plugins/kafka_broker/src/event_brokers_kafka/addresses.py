"""From the option `url` to the addresses of the brokers to ask first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

DEFAULT_PORT = 9092
_ADDRESS = re.compile(
    r"(?: \[ (?P<ipv6> [0-9A-Fa-f:.]+ (?: %[\w.]+ )? ) \] | (?P<host> [^\s:/@\[\],]+ ) )"
    r"(?: : (?P<port> [0-9]{1,5} ) )?",
    re.VERBOSE | re.ASCII,
)


class Address(NamedTuple):
    """Where a broker listens; prints as `host:port`, with an IPv6 address in brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse(url: str | Sequence[str]) -> list[Address]:
    """Return the addresses, each once, in the order given.

    Parameters:
        url: "host", "host:port", "[ipv6]:port", several of these with commas between, or a list.

    Raises:
        ValueError: one of them is not an address, or there is none.
    """
    items = [url] if isinstance(url, str) else url
    entries = [entry.strip() for item in items for entry in item.split(",")]
    addresses = [_parse_one(entry) for entry in entries if entry]
    if not addresses:
        raise ValueError("no host; give host, host:port or a list of these")
    return list(dict.fromkeys(addresses))


def _parse_one(entry: str) -> Address:
    if "@" in entry:  # what stands before it may be a password
        raise ValueError("a host has no user; give sasl_username and sasl_password")
    if "://" in entry:
        raise ValueError(f"'{entry}' is not host or host:port; security_protocol says how to speak")
    found = _ADDRESS.fullmatch(entry)
    if found is None:
        hint = "; an IPv6 address goes in brackets" if entry.count(":") > 1 else ""
        raise ValueError(f"'{entry}' is not host or host:port{hint}")
    port = int(found["port"] or DEFAULT_PORT)
    if not 1 <= port <= 65535:
        raise ValueError(f"'{entry}' has no port from 1 to 65535")
    return Address(found["ipv6"] or found["host"], port)
