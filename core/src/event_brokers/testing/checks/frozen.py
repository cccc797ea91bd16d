"""A broker that does not answer keeps no hook for ever, and one that comes back is used again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from event_brokers.broker import EventBroker
from event_brokers.event import Event
from event_brokers.testing import contract, events
from event_brokers.testing.answers import Answers, unanswered
from event_brokers.testing.arrivals import (
    first_occurrences,
    missing,
    wait_until,
)
from event_brokers.testing.check import check
from event_brokers.testing.checks.connecting import hold_that_it_raises
from event_brokers.testing.checks.delivery import arrivals_of
from event_brokers.testing.contract import fail, hold
from event_brokers.testing.hook_thread import DoesNotReturn
from event_brokers.testing.proxy import Proxy

_STREAM_EVENTS = 2000
_STREAM_PARTS = 4
_NOTICE = 1 / 15  # of the deadline, in which most plugins notice that the server is away

_Freeze = Callable[[], None]


class FrozenChecks(Answers):
    """A broker that does not answer keeps no hook for ever."""

    @check("freeze_server or at", is_slow=True)
    def test_publishing_to_a_frozen_server_fails(self) -> None:
        """Where the server does not answer any more, `publish` raises in time."""
        with self._freezable() as (options, freeze):
            connected = self.subject.connect(options)
            freeze()
            hold_that_it_raises(
                lambda: connected.publish(events.numbered(3)),
                "publish",
                "a server that is frozen",
                contract.CONFIRMED,
            )
            try:
                connected.close()
            except DoesNotReturn as error:
                fail(f"'close' after that {error}", contract.CLOSE_IS_BOUNDED)
            except Exception:  # noqa: BLE001 - what `close` raises is forgotten
                return

    @check("freeze_server or at", is_slow=True)
    def test_closing_a_connection_to_a_frozen_server_ends(self) -> None:
        """Where the server does not answer any more, `close` returns or raises in time."""
        with self._freezable() as (options, freeze):
            connected = self.subject.connect(options)
            connected.publish(events.numbered(1))
            freeze()
            try:
                connected.close()
            except DoesNotReturn as error:
                fail(f"'close' with a server that is frozen {error}", contract.CLOSE_IS_BOUNDED)
            except Exception:  # noqa: BLE001 - as above
                return

    @check("break_server", "mend_server")
    def test_a_server_that_was_killed_is_used_again(self) -> None:
        """After kill -9 and a start, delivery goes on through a new connection."""
        published = events.numbered(4)
        broker = self.subject.broker(self.options())
        broker.accept(published[:2])
        broker.flush(2 * self.hook_seconds)
        self.break_server()
        try:
            broker.accept(published[2:])
            noticed = _NOTICE * self.hook_seconds
            wait_until(lambda: broker.status().last_error is not None, noticed)
        finally:
            self.mend_server()
        self._hold_that_all_arrive(broker, published)

    @check("break_server", "mend_server")
    def test_nothing_is_lost_when_the_server_is_killed_in_mid_stream(self) -> None:
        """Of a stream during which the server is killed, every event arrives, in order."""
        published = events.numbered(_STREAM_EVENTS)
        part = len(published) // _STREAM_PARTS
        broker = self.subject.broker(self.options())
        broker.accept(published[:part])
        wait_until(lambda: broker.status().delivered > 0, self.hook_seconds)
        broker.accept(published[part : 2 * part])
        self.break_server()
        try:
            broker.accept(published[2 * part : 3 * part])
        finally:
            self.mend_server()
        broker.accept(published[3 * part :])
        found = self._hold_that_all_arrive(broker, published)
        hold(
            found == [event.id for event in published],
            "events have arrived in another order after the server was killed",
            contract.IN_ORDER,
        )

    @check("server_port", "at")
    def test_nothing_is_lost_when_connections_are_reset_in_mid_stream(self) -> None:
        """Of a stream whose connection is reset, every event arrives, in order."""
        published = events.numbered(_STREAM_EVENTS)
        with Proxy(self.server_port(), self.proxy_port()) as proxy:
            broker = self.subject.broker(self.at(proxy.port))
            broker.accept(published[:1])
            broker.flush(2 * self.hook_seconds)
            proxy.cut_after(sum(len(event.body) for event in published) // 2)
            broker.accept(published[1:])
            found = self._hold_that_all_arrive(broker, published)
        hold(
            found == [event.id for event in published],
            "events have arrived in another order after the connection was reset",
            contract.IN_ORDER,
        )

    def _hold_that_all_arrive(self, broker: EventBroker, published: list[Event]) -> list[str]:
        """Return the ids of the events in the order in which each arrived first."""
        status = broker.flush(2 * self.hook_seconds)
        hold(
            status.pending == 0 and status.dead_letters == 0,
            f"{status.pending} events still wait and {status.dead_letters} are buried, although "
            f"the server is there again: {status.last_error}",
            contract.TRIED_AGAIN,
        )
        found = arrivals_of(self, published)
        lost = missing(published, found)
        hold(
            not lost,
            f"{len(lost)} of {len(published)} events are lost, although 'publish' returned",
            contract.CONFIRMED,
        )
        return first_occurrences(found)

    @contextmanager
    def _freezable(self) -> Iterator[tuple[Mapping[str, Any], _Freeze]]:
        """Yield options that lead to the broker, and what lets it answer no more."""
        if unanswered(type(self), "freeze_server"):
            with Proxy(self.server_port(), self.proxy_port()) as proxy:
                yield self.at(proxy.port), proxy.silence
            return
        begun: list[None] = []

        def freeze() -> None:
            begun.append(None)
            self.freeze_server()

        try:
            yield self.options(), freeze
        finally:
            if begun:
                self.thaw_server()
