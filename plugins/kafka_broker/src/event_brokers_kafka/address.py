"""From the option `url` to the addresses of the brokers to ask first."""

from __future__ import annotations

from collections.abc import Sequence

from event_brokers.plugin.network import Address

DEFAULT_PORT = 9092


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
    if "://" in entry and entry.isprintable():
        raise ValueError(f"'{entry}' is not host or host:port; security_protocol says how to speak")
    return Address.parse(entry, DEFAULT_PORT)
