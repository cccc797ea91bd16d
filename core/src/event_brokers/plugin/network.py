"""Where a server listens, and why it cannot be reached, in words."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from event_brokers.plugin.causes import causes_of
from event_brokers.wording import system_reason

_ADDRESS = re.compile(
    r"(?: \[ (?P<ipv6> [0-9A-Fa-f:.]+ (?: %[\w.-]+ )? ) \] | (?P<host> [^\s:/@\[\],]+ ) )"
    r"(?: : (?P<port> [0-9]{1,5} ) )?",
    re.VERBOSE | re.ASCII,
)
# until Python 3.11 these were classes of their own; by their names, for importing them takes a
# tenth of all that a program with a broker does before its first event
_TIMEOUTS = ("asyncio.exceptions.TimeoutError", "concurrent.futures._base.TimeoutError")
# asyncio says of a connection that ends too soon IncompleteReadError, which is an EOFError
_CLOSED = (ConnectionError, EOFError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


@dataclass(frozen=True)
class Address:
    """Where a server listens; prints as `host:port`, with an IPv6 address in brackets.

    Attributes:
        host: name or IP address, an IPv6 address without its brackets.
        port: 1 to 65535.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, default_port: int) -> Address:
        """Return the address that a text is.

        Parameters:
            text: "host", "host:port", "[ipv6]" or "[ipv6]:port".
            default_port: where the text names none.

        Raises:
            ValueError: it is none; says why, and shows nothing that may hold a password.
        """
        if "@" in text:
            raise ValueError("a host has no user; give user and password as options")
        if not text.isprintable():
            raise ValueError("a character of the host cannot be printed; give host or host:port")
        found = _ADDRESS.fullmatch(text)
        if found is None:
            hint = "; an IPv6 address goes in brackets" if text.count(":") > 1 else ""
            raise ValueError(f"'{text}' is not host or host:port{hint}")
        port = int(found["port"] or default_port)
        if not 1 <= port <= 65535:
            raise ValueError(f"'{text}' has no port from 1 to 65535")
        return cls(found["ipv6"] or found["host"], port)

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent there never leaves this machine."""
        if self.host.casefold().removesuffix(".") == "localhost":
            return True
        try:
            host = ip_address(self.host)
        except ValueError:
            return False
        if isinstance(host, IPv6Address) and host.ipv4_mapped is not None:
            return host.ipv4_mapped.is_loopback
        return host.is_loopback

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def connection_problem(error: BaseException, address: Address) -> str | None:
    """Return why a server cannot be reached, or was lost; None where the error says nothing of it.

    Parameters:
        error: what the client raised; those it was raised from are looked at too.
        address: the server's.
    """
    causes = list(causes_of(error))
    for sentence in _SENTENCES:
        for cause in causes:
            problem = sentence(cause, address)
            if problem is not None:
                return problem
    return None


def tls_reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's name for what happened; empty where there is none."""
    # only what OpenSSL itself raises has the attribute
    return getattr(error, "reason", None) or ""


def _refused(error: BaseException, address: Address) -> str | None:
    return (
        f"{address} refused the connection" if isinstance(error, ConnectionRefusedError) else None
    )


def _no_such_host(error: BaseException, address: Address) -> str | None:
    if isinstance(error, socket.gaierror):
        return f"no address found for host '{address.host}'"
    if isinstance(error, UnicodeError):
        return f"'{address.host}' cannot be the name of a host"
    return None


def _no_answer(error: BaseException, address: Address) -> str | None:
    is_timeout = isinstance(error, TimeoutError) or _class_name(error) in _TIMEOUTS
    return f"{address} does not answer" if is_timeout else None


def _class_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _closed(error: BaseException, address: Address) -> str | None:
    return f"{address} closed the connection" if isinstance(error, _CLOSED) else None


def _broken_tls(error: BaseException, address: Address) -> str | None:
    if not isinstance(error, ssl.SSLError):
        return None
    words = tls_reason(error).lower().replace("_", " ")
    return f"{address} broke off TLS: {words or 'unknown error'}"


def _out_of_reach(error: BaseException, address: Address) -> str | None:
    if not isinstance(error, OSError):
        return None
    return f"{address} cannot be reached: {system_reason(error, type(error).__name__)}"


# what says most comes first: a client that tries IPv6 and IPv4 has an error of each
_SENTENCES: tuple[Callable[[BaseException, Address], str | None], ...] = (
    _refused,
    _no_such_host,
    _no_answer,
    _closed,
    _broken_tls,
    _out_of_reach,
)
