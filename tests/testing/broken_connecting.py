"""Broken in `connect` and `close`: what is noticed, what is trusted, what is left behind."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from typing import Any, ClassVar

from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Event,
)
from event_brokers.plugin import ReceivedEvent
from event_brokers.plugin.tls import client_context
from testing.broken import RECOVERY, broken
from testing.ledger import Ledger, Session

_FOREVER = 3600.0
Received = Generator[ReceivedEvent | None, None, None]


@broken(
    "test_a_connection_that_was_not_used_closes",
    also=(
        "test_closing_again_does_nothing",
        "test_connections_leave_nothing_behind",
        "test_closing_a_connection_to_a_frozen_server_ends",
        "test_publishing_to_a_frozen_server_fails",
        "test_a_connection_closes_after_a_failure",
        "test_both_sides_of_a_fork_publish",
        *RECOVERY,
        "test_order_is_kept_when_batches_are_sent_again",
    ),
    lines=("close_seconds = 0.5",),
)
class HangsInClose(Ledger):
    """Waits for ever for what it does not have."""

    def release(self, session: Any) -> None:
        del session
        threading.Event().wait(_FOREVER)


@broken(
    "test_closing_a_connection_to_a_frozen_server_ends",
    also=("test_publishing_to_a_frozen_server_fails",),
)
class WaitsForAGoodbye(Ledger):
    """Closes politely: the server has to answer first, however long that takes."""

    def release(self, session: Any) -> None:
        try:
            session._socket.settimeout(None)
            session.ask("has")
        except (OSError, ValueError, BrokerUnavailable):
            pass  # it has gone already
        super().release(session)


@broken("test_closing_again_does_nothing")
class RefusesToCloseAgain(Ledger):
    """Raises over a connection that is closed."""

    def release(self, session: Any) -> None:
        if getattr(session, "is_released", False):
            raise RuntimeError("closed already")
        session.is_released = True
        super().release(session)


@broken("test_connections_leave_nothing_behind")
class LeaksConnections(Ledger):
    """Keeps every session that it ever had, open."""

    _all: ClassVar[list[Any]] = []

    def open(self, options: Any) -> Any:
        session = super().open(options)
        self._all.append(session)
        return session

    def release(self, session: Any) -> None:
        del session


@broken("test_connections_leave_nothing_behind")
class LeaksThreads(Ledger):
    """Starts a thread for each session, which never ends."""

    def open(self, options: Any) -> Any:
        session = super().open(options)
        threading.Thread(target=threading.Event().wait, args=(_FOREVER,), daemon=True).start()
        return session


@broken(
    "test_failed_connects_leave_nothing_behind",
    also=("test_refused_connects_leave_nothing_behind",),
)
class LeaksWhereConnectingFails(Ledger):
    """Starts its thread before it knows whether it will need it."""

    def open(self, options: Any) -> Any:
        ended = threading.Event()
        threading.Thread(target=ended.wait, args=(_FOREVER,), daemon=True).start()
        session = super().open(options)
        session.ended = ended
        return session

    def release(self, session: Any) -> None:
        session.ended.set()
        super().release(session)


@broken("test_refused_connects_leave_nothing_behind")
class LeaksWhereItIsNotLetIn(Ledger):
    """Keeps the socket of a session that was not let in."""

    class _Session(Session):
        kept: ClassVar[list[socket.socket]] = []

        def wrong_password(self) -> Exception:
            self.kept.append(self._socket.dup())
            return super().wrong_password()

    session_class = _Session


class _LazySession(Session):
    """Signs in when it is asked for the first time."""

    def __init__(self, options: Any, seconds: float | None) -> None:
        self.options, self._seconds = options, seconds
        self._is_there = False

    def ask(self, do: str, **request: Any) -> Any:
        if not self._is_there:
            super().__init__(self.options, self._seconds)
            self._is_there = True
            super().ask("make")
        return super().ask(do, **request)

    def end(self) -> None:
        if self._is_there:
            super().end()


@broken(
    "test_connecting_to_nobody_fails",
    "test_connecting_to_a_silent_server_fails",
    "test_connecting_to_a_dying_server_fails",
    "test_a_wrong_password_is_a_configuration_error",
    "test_a_bad_certificate_is_refused",
)
class ConnectsLazily(Ledger):
    """Has a client that connects when there is something to send."""

    session_class = _LazySession

    def open(self, options: Any) -> Any:
        return self.session_class(options, self.seconds)

    def inspect(self, options: Any) -> Sequence[str]:
        return Ledger().inspect(options)

    def receive(self, options: Any, group: str | None, from_start: bool) -> Received:
        return Ledger().receive(options, group, from_start)


@broken(
    "test_connecting_to_a_silent_server_fails",
    "test_publishing_to_a_frozen_server_fails",
)
class WaitsForEver(Ledger):
    """Has a client without a timeout."""

    seconds = None


@broken("test_a_wrong_password_is_a_configuration_error")
class TakesAWrongPasswordForAnOutage(Ledger):
    """Raises what says that it will pass by itself."""

    class _Session(Session):
        def wrong_password(self) -> Exception:
            return BrokerUnavailable("the server does not let us in")

    session_class = _Session


@broken(
    "test_delivery_goes_on_once_the_password_is_right",
    also=("test_a_wrong_password_is_a_configuration_error",),
)
class RemembersAWrongPassword(Ledger):
    """Believes that what was wrong once is wrong for ever."""

    _wrong: ClassVar[set[tuple[int, str]]] = set()

    def open(self, options: Any) -> Any:
        if (options.port, options.ledger) in self._wrong:
            raise ConfigurationError("event_broker.password: was wrong before; restart the program")
        try:
            return super().open(options)
        except ConfigurationError:
            self._wrong.add((options.port, options.ledger))
            raise


@broken("test_a_bad_certificate_is_refused")
class TrustsEverybody(Ledger):
    """Encrypts, for whoever it is."""

    class _Session(Session):
        def make_context(self) -> ssl.SSLContext:
            context = client_context(self.options)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context

    session_class = _Session


@broken("test_a_bad_certificate_is_refused")
class TrustsEveryHost(Ledger):
    """Takes a good certificate of anybody."""

    class _Session(Session):
        def make_context(self) -> ssl.SSLContext:
            context = client_context(self.options)
            context.check_hostname = False
            return context

    session_class = _Session


@broken("test_a_good_certificate_is_accepted")
class TrustsNobody(Ledger):
    """Forgets to load the authority that it is told to trust."""

    class _Session(Session):
        def make_context(self) -> ssl.SSLContext:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    session_class = _Session


@broken("test_a_server_that_was_killed_is_used_again", also=RECOVERY)
class NeverConnectsAgain(Ledger):
    """Keeps the first session to each place for ever, and hands it out again."""

    _sessions: ClassVar[dict[tuple[int, str, str, bool], Any]] = {}

    def open(self, options: Any) -> Any:
        # several connections at once get one each: only one that comes after is an old one
        place = (options.port, options.ledger, options.password.reveal(), options.tls)
        if place in self._sessions:
            session = self._sessions.pop(place)
            self._sessions[place] = session
            if not session.is_free:
                return self._new(options)
            session.is_free = False
            return session
        self._sessions[place] = session = self._new(options)
        return session

    def release(self, session: Any) -> None:
        session.is_free = True

    def _new(self, options: Any) -> Any:
        session = super().open(options)
        session.is_free = False
        return session


@broken("test_several_connections_work_side_by_side")
class HasOneConnectionForAll(Ledger):
    """Shares a session among those who are there at the same time, and the first ends it."""

    _sessions: ClassVar[dict[tuple[int, str, str, bool], Any]] = {}

    def open(self, options: Any) -> Any:
        place = (options.port, options.ledger, options.password.reveal(), options.tls)
        if place not in self._sessions:
            self._sessions[place] = super().open(options)
        return self._sessions[place]

    def release(self, session: Any) -> None:
        for place in [key for key, each in self._sessions.items() if each is session]:
            del self._sessions[place]
        super().release(session)

    def receive(self, options: Any, group: str | None, from_start: bool) -> Received:
        return Ledger().receive(options, group, from_start)


@broken("test_both_sides_of_a_fork_publish")
class SendsOnAThreadOfTheModule(Ledger):
    """Has one thread for all sessions, which a forked child does not have."""

    _work: ClassVar[queue.SimpleQueue[Any]] = queue.SimpleQueue()
    _threads: ClassVar[list[threading.Thread]] = []

    def send(self, session: Any, events: Sequence[Event]) -> None:
        if not self._threads:
            self._threads.append(threading.Thread(target=self._run, daemon=True))
            self._threads[0].start()
        sent: Future[None] = Future()
        self._work.put((sent, session, events))
        sent.result()

    def _run(self) -> None:
        while True:
            sent, session, events = self._work.get()
            try:
                Ledger.send(self, session, events)
                sent.set_result(None)
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                sent.set_exception(error)
