"""Addresses as they are written and printed, and connections that fail, in words."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from event_brokers.plugin.causes import causes_of
from event_brokers.plugin.network import Address, connection_problem
from servers.ports import free_port

HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{1,5}){0,2}", fullmatch=True)
ADDRESSES = st.builds(Address, st.one_of(HOSTS, st.ip_addresses().map(str)), st.integers(1, 65535))


@given(ADDRESSES, st.integers(1, 65535))
@example(Address("::1", 1), 2)
def test_every_address_is_read_as_it_is_printed(address: Address, default_port: int) -> None:
    """With a port in the text the default does not matter, and IPv6 stands in brackets."""
    assert Address.parse(str(address), default_port) == address
    is_ipv6 = ":" in address.host
    assert str(address).startswith("[") is is_ipv6


@given(st.one_of(HOSTS, st.ip_addresses(v=6).map(str)), st.integers(1, 65535))
def test_a_text_without_a_port_has_the_default_port(host: str, port: int) -> None:
    """An IPv6 address needs its brackets for that, a name none."""
    text = f"[{host}]" if ":" in host else host
    assert Address.parse(text, port) == Address(host, port)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    """No text fails in any other way, and what is read can be printed and read again."""
    try:
        address = Address.parse(text, 1)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017 - most texts raise it, and a few do not
        return
    assert address.host
    assert 1 <= address.port <= 65535
    assert str(address).isprintable()
    assert Address.parse(str(address), 2) == address


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "'' is not host or host:port"),
        ("localhost:0", "'localhost:0' has no port from 1 to 65535"),
        ("localhost:70000", "'localhost:70000' has no port from 1 to 65535"),
        ("local host", "'local host' is not host or host:port"),
        ("localhost:abc", "'localhost:abc' is not host or host:port"),
        ("localhost:1\n", "a character of the host cannot be printed; give host or host:port"),
        ("::1", "'::1' is not host or host:port; an IPv6 address goes in brackets"),
        ("alice:hunter2@localhost", "a host has no user; give user and password as options"),
    ],
)
def test_what_is_no_address_is_refused_in_words(text: str, sentence: str) -> None:
    """The text is shown where it can hold no password."""
    with pytest.raises(ValueError, match=r".+") as caught:
        Address.parse(text, 1)
    assert str(caught.value) == sentence


def test_an_address_does_not_change() -> None:
    """It can be the key of a dictionary."""
    address = Address("h", 1)
    with pytest.raises(FrozenInstanceError):
        address.port = 2  # type: ignore[misc]
    assert {address: 1}[Address("h", 1)] == 1


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost.", "127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]
)
def test_loopback_is_recognised(host: str) -> None:
    """What is sent there stays on this machine."""
    assert Address(host, 1).is_loopback


@pytest.mark.parametrize(
    "host", ["localhost.example", "10.0.0.1", "broker", "::2", "fe80::1%eth0", "::ffff:10.0.0.1"]
)
def test_what_may_leave_the_machine_is_not_loopback(host: str) -> None:
    """A name is not looked up: only those that mean this machine by definition count."""
    assert not Address(host, 1).is_loopback


def problem(address: Address) -> str | None:
    """Return what is said of a real attempt to connect, and to read."""
    try:
        with socket.create_connection((address.host, address.port), 0.3) as connection:
            connection.settimeout(0.3)
            if not connection.recv(1):
                raise EOFError
    except (OSError, EOFError, UnicodeError) as error:
        return connection_problem(error, address)
    return None


@contextmanager
def a_listener(reset: bool | None) -> Iterator[Address]:
    """Listen on a port; a connection stays silent, or is closed with or without a reset."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            connection, _ = server.accept()
            if reset is None:
                held.append(connection)
                return
            if reset:
                linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        yield Address(*server.getsockname())
        thread.join(10)
        for connection in held:
            connection.close()


def test_real_failures_are_told_apart() -> None:
    """Refused, no such host, no answer and closed each have a sentence of their own."""
    nobody = Address("127.0.0.1", free_port())
    assert problem(nobody) == f"{nobody} refused the connection"
    unknown = Address("broker.invalid", 1)
    assert problem(unknown) == "no address found for host 'broker.invalid'"
    impossible = Address("a" * 70 + ".example", 1)
    assert problem(impossible) in (
        f"'{impossible.host}' cannot be the name of a host",
        f"no address found for host '{impossible.host}'",
    )
    with a_listener(reset=None) as silent:
        assert problem(silent) == f"{silent} does not answer"
    with a_listener(reset=False) as closing:
        assert problem(closing) == f"{closing} closed the connection"
    with a_listener(reset=True) as resetting:
        assert problem(resetting) == f"{resetting} closed the connection"


def test_what_asyncio_raises_is_understood() -> None:
    """Its timeout was a class of its own until Python 3.11, its end of file is one still."""
    address = Address("::1", 1)
    assert connection_problem(asyncio.TimeoutError(), address) == "[::1]:1 does not answer"
    ended = asyncio.IncompleteReadError(b"", 1)
    assert connection_problem(ended, address) == "[::1]:1 closed the connection"


def test_other_errors_of_the_system_are_quoted() -> None:
    """The system's words follow, in lower case; a TLS connection that broke is called so."""
    address = Address("h", 1)
    unreachable = OSError(errno.EHOSTUNREACH, "No route to host")
    assert connection_problem(unreachable, address) == "h:1 cannot be reached: no route to host"
    broken = ssl.SSLError(1, "[SSL: BAD_LENGTH] bad length")
    assert connection_problem(broken, address) == "h:1 broke off TLS: unknown error"
    assert connection_problem(KeyError("x"), address) is None


class Wrapping(Exception):
    """As client libraries do it, an error that holds another one."""

    def __init__(self, **held: object) -> None:
        super().__init__("wrapped")
        for name, value in held.items():
            setattr(self, name, value)


REFUSED = ConnectionRefusedError("no")


@pytest.mark.parametrize(
    "error",
    [
        Wrapping(exceptions=[TimeoutError(), REFUSED]),
        Wrapping(exception=Wrapping(original_exception=REFUSED)),
        Wrapping(orig=REFUSED),
        Wrapping(reason=REFUSED),
        Exception("text", REFUSED),
    ],
)
def test_an_error_is_found_inside_those_of_a_client(error: Exception) -> None:
    """What says most is told, whatever it is packed into."""
    assert connection_problem(error, Address("h", 1)) == "h:1 refused the connection"


def raise_while_handling() -> None:
    """Fail as many a client does, with `raise` in an `except`."""
    try:
        raise REFUSED
    except OSError:
        raise KeyError("x")  # noqa: B904 - as said


def raise_from_none() -> None:
    """Fail with a cause that was taken away."""
    try:
        raise REFUSED
    except OSError:
        raise KeyError("x") from None


def test_an_error_is_found_behind_those_raised_from_it() -> None:
    """What a traceback would show counts, and nothing else."""
    with pytest.raises(KeyError) as caught:
        raise_while_handling()
    assert connection_problem(caught.value, Address("h", 1)) == "h:1 refused the connection"
    with pytest.raises(KeyError) as caught:
        raise_from_none()
    assert connection_problem(caught.value, Address("h", 1)) is None


def test_errors_that_hold_each_other_end() -> None:
    """A ring of causes is walked once."""
    first, second = Wrapping(), Wrapping()
    first.__cause__, second.__cause__ = second, first
    assert list(causes_of(first)) == [first, second]
