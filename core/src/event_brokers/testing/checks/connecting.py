"""An outage shows in `connect`, in time; what a person must mend is a ConfigurationError."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from event_brokers.errors import ConfigurationError
from event_brokers.event import Event
from event_brokers.hookspecs import hookimpl
from event_brokers.plugins import Plugin
from event_brokers.testing import contract, events
from event_brokers.testing.answers import Answers
from event_brokers.testing.arrivals import missing
from event_brokers.testing.certificates import HOST
from event_brokers.testing.check import check
from event_brokers.testing.checks.delivery import arrivals_of
from event_brokers.testing.contract import Line, fail, hold
from event_brokers.testing.hook_thread import DoesNotReturn
from event_brokers.testing.proxy import Proxy

WRONG_PASSWORD = "wrong-password-canary-7f3a"
_BYTES_OF_A_HANDSHAKE = 1


@contextmanager
def nobody() -> Iterator[int]:
    """Yield a port of 127.0.0.1 at which nobody listens, and nobody will."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        yield bound.getsockname()[1]


class ConnectingChecks(Answers):
    """An outage shows in `connect`."""

    @check()
    def test_a_connection_is_made(self) -> None:
        """With the right options a connection is made, in time."""
        try:
            self.subject.connect(self.options())
        except DoesNotReturn as error:
            fail(f"'connect' {error}", contract.BOUNDED)

    @check("at")
    def test_connecting_to_nobody_fails(self) -> None:
        """Where nobody listens, `connect` raises, and does not wait for the first event."""
        with nobody() as port:
            self._hold_that_connecting_fails(self.at(port), "a port where nobody listens")

    @check("at", is_slow=True)
    def test_connecting_to_a_silent_server_fails(self) -> None:
        """At a port that accepts and never answers, `connect` raises in time."""
        with socket.create_server((HOST, self.proxy_port())) as listener:
            port = listener.getsockname()[1]
            self._hold_that_connecting_fails(self.at(port), "a server that never answers")

    @check("server_port", "at")
    def test_connecting_to_a_dying_server_fails(self) -> None:
        """Where the server dies while it is connected to, `connect` raises in time."""
        with Proxy(self.server_port(), self.proxy_port()) as proxy:
            proxy.cut_after(_BYTES_OF_A_HANDSHAKE)
            self._hold_that_connecting_fails(
                self.at(proxy.port), "a server that dies in the handshake"
            )

    @check("with_password")
    def test_a_wrong_password_is_a_configuration_error(self) -> None:
        """A password that the server does not know is what a person must change."""
        raised = self._hold_that_connecting_fails(
            self.with_password(WRONG_PASSWORD), "a server with a wrong password"
        )
        hold(
            isinstance(raised, ConfigurationError),
            f"'connect' raised {type(raised).__name__} for a wrong password",
            contract.A_PERSON,
        )

    @check("with_password")
    def test_delivery_goes_on_once_the_password_is_right(self) -> None:
        """Events that waited for a person are delivered when the password is put right."""
        published = events.numbered(5)
        wrong = self.subject.settings(self.with_password(WRONG_PASSWORD)).options
        corrected = Plugin(
            self.subject.plugin.type,
            self.subject.plugin.distribution,
            Corrected(self.subject.plugin, wrong),
        )
        broker = self.subject.broker(self.options(), corrected)
        broker.accept(published)
        status = broker.flush(self.hook_seconds)
        hold(
            status.pending == 0,
            f"{status.pending} events still wait, although the password is right: "
            f"{status.last_error}",
            contract.A_PERSON,
        )
        lost = missing(published, arrivals_of(self, published))
        hold(not lost, f"{len(lost)} events that waited are lost", contract.CONFIRMED)

    def _hold_that_connecting_fails(self, options: Mapping[str, Any], where: str) -> Exception:
        """Return what `connect` raises; fail where it does not raise, or does not in time."""
        return hold_that_it_raises(
            lambda: self.subject.connect(options), "connect", where, contract.CONNECT_HAS_HEARD
        )


def hold_that_it_raises(call: Any, hook: str, where: str, line: Line) -> Exception:
    """Return what a hook raises; fail where it returns, or does not return in time.

    Parameters:
        call: calls the hook.
        hook: its name.
        where: what it is called with, in words.
        line: of the contract, broken where the hook returns.
    """
    raised: Exception | None = None
    try:
        call()
    except DoesNotReturn as error:
        fail(f"'{hook}' to {where} {error}", contract.BOUNDED)
    except Exception as error:  # noqa: BLE001 - that is what is wanted
        raised = error
    if raised is None:
        fail(f"'{hook}' to {where} returned", line)
    return raised


class Corrected:
    """A plugin that is first given wrong options, twice, and then the right ones.

    Parameters:
        plugin: which does the work.
        wrong: the wrong options.
    """

    def __init__(self, plugin: Plugin, wrong: Any) -> None:
        self._hook = plugin.hook
        self._wrong = [wrong, wrong]

    @hookimpl
    def connect(self, options: Any, used: set[str]) -> Any:
        """Connect by the plugin."""
        given = self._wrong.pop() if self._wrong else options
        return self._hook.connect(options=given, used=used)

    @hookimpl
    def publish(self, connection: Any, events: list[Event]) -> None:
        """Publish by the plugin."""
        self._hook.publish(connection=connection, events=events)

    @hookimpl
    def close(self, connection: Any) -> None:
        """Close by the plugin."""
        self._hook.close(connection=connection)
