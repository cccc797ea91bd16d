"""A good plugin for the ledger, in small steps: the broken ones change one of them each."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import time
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Event,
    ReceivedEvent,
    RejectedEvents,
    Secret,
    hookimpl,
)
from event_brokers.plugin.tls import TlsOptions, client_context, handshake_problem

HOST = "127.0.0.1"
_POLL_SECONDS = 0.02
_BEAT_SECONDS = 0.2


class LedgerOptions(TlsOptions, frozen=True, kw_only=True):
    """The options of type `ledger`."""

    place: ClassVar[tuple[str, ...]] = ("port", "ledger")

    port: Annotated[int, Meta(description="port of the server")]
    ledger: Annotated[str, Meta(description="name of the ledger")]
    password: Annotated[Secret, Meta(description="the password")]
    tls: Annotated[bool, Meta(description="whether to speak TLS")] = False


class Session:
    """One connection to the server, signed in.

    Parameters:
        options: of the plugin.
        seconds: to wait for each answer; None waits for ever.
    """

    def __init__(self, options: Any, seconds: float | None) -> None:
        self.options = options
        self._socket = socket.create_connection((HOST, options.port), seconds)
        try:
            self._socket = self._protect(self._socket)
            self._answers = self._socket.makefile("rb")
            if not self._exchange({"password": options.password.reveal()})["ok"]:
                raise self.wrong_password()
        except BaseException:
            self.end()
            raise

    def ask(self, do: str, **request: Any) -> Any:
        """Return the server's answer to a request."""
        return self._exchange({"do": do, "place": self.options.ledger, **request})

    def end(self) -> None:
        """Close the connection."""
        if hasattr(self, "_answers"):
            self._answers.close()
        self._socket.close()

    def _exchange(self, request: Any) -> Any:
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        line = self._answers.readline()
        if not line:
            raise BrokerUnavailable(f"{HOST}:{self.options.port} closed the connection")
        return json.loads(line)

    def _protect(self, plain: socket.socket) -> socket.socket:
        if not self.options.tls:
            return plain
        context = self.make_context()
        try:
            return context.wrap_socket(plain, server_hostname=HOST)
        except ssl.SSLError as error:
            problem = handshake_problem(error, f"{HOST}:{self.options.port}", self.options)
            if problem is None:
                raise
            raise ConfigurationError(problem) from error

    def make_context(self) -> ssl.SSLContext:
        """Return how TLS is to be spoken."""
        return client_context(self.options)

    def wrong_password(self) -> Exception:
        """Return the error that a wrong password is."""
        return ConfigurationError("event_broker.password: is not the server's; give the right one")


class Ledger:
    """The hooks, as methods of an object."""

    seconds: ClassVar[float | None] = 2.0
    once: ClassVar[bool] = True
    session_class: ClassVar[type[Session]] = Session
    options_class: ClassVar[Any] = LedgerOptions

    @hookimpl
    def options(self) -> Any:
        """Return the options class."""
        return self.options_class

    @hookimpl
    def connect(self, options: Any) -> Any:
        """Sign in, and make the ledger where it is missing."""
        return self.open(options)

    @hookimpl
    def publish(self, connection: Any, events: Sequence[Event]) -> None:
        """Store the batch."""
        self.send(connection, events)

    @hookimpl
    def close(self, connection: Any) -> None:
        """Close the connection."""
        self.release(connection)

    @hookimpl
    def check(self, options: Any) -> Sequence[str]:
        """Look whether the ledger is there."""
        return self.inspect(options)

    @hookimpl
    def consume(
        self, options: Any, group: str | None, from_start: bool
    ) -> Generator[ReceivedEvent | None, None, None]:
        """Yield what stands in the ledger."""
        return self.receive(options, group, from_start)

    def open(self, options: Any) -> Any:
        """Return a session whose ledger is there."""
        session = self.session_class(options, self.seconds)
        session.ask("make")
        return session

    def send(self, session: Any, events: Sequence[Event]) -> None:
        """Store events, and wait for the answer."""
        answer = session.ask(
            "store", records=[self.record(each) for each in events], once=self.once
        )
        if not answer["ok"]:
            raise self.refusal(answer["refused"], events)

    def record(self, event: Event) -> tuple[str, str, dict[str, str]]:
        """Return what is stored of an event."""
        return event.id, base64.b64encode(event.body).decode(), event.headers

    def refusal(self, refused: Sequence[str], events: Sequence[Event]) -> Exception:
        """Return the error for a batch of which the server refuses some events."""
        del events
        return RejectedEvents(dict.fromkeys(refused, "the ledger refuses it"))

    def release(self, session: Any) -> None:
        """Close a session."""
        session.end()

    def inspect(self, options: Any) -> Sequence[str]:
        """Return what was found, in sentences."""
        with closing_session(self.session_class(options, self.seconds)) as session:
            state = "found" if session.ask("has")["has"] else "missing"
        return [f"connected to {HOST}:{options.port}", f"ledger '{options.ledger}' {state}"]

    def receive(
        self, options: Any, group: str | None, from_start: bool
    ) -> Generator[ReceivedEvent | None, None, None]:
        """Yield events and turns."""
        with closing_session(self.open(options)) as session:
            if group is None:
                yield from self.look_on(session, from_start)
            else:
                session.ask("join", group=group, from_start=from_start)
                yield from self.take_turns(session, group)

    def take_turns(self, session: Any, group: str) -> Generator[ReceivedEvent | None, None, None]:
        """Yield the events of a group, each acknowledged when the next is asked for."""
        while True:
            answer = yield from self.wait(session, "lease", group=group)
            yield self.received(answer)
            session.ask("acknowledge", group=group, position=answer["position"])

    def look_on(
        self, session: Any, from_start: bool
    ) -> Generator[ReceivedEvent | None, None, None]:
        """Yield every event, and leave no trace."""
        position = 0 if from_start else session.ask("length")["length"]
        while True:
            answer = yield from self.wait(session, "look", position=position)
            yield self.received(answer)
            position += 1

    def wait(self, session: Any, do: str, **request: Any) -> Generator[None, None, Any]:
        """Yield turns until there is an answer, and return it."""
        beat = time.monotonic()
        while not (answer := session.ask(do, **request))["ok"]:
            if time.monotonic() - beat > _BEAT_SECONDS:
                yield None
                beat = time.monotonic()
            time.sleep(_POLL_SECONDS)
        return answer

    def received(self, answer: Any) -> ReceivedEvent:
        """Return the event that an answer holds."""
        body = base64.b64decode(answer["body"])
        return ReceivedEvent.from_body(
            body, f"position {answer['position']}", answer["id"], answer["headers"]
        )


def closing_session(session: Any) -> Any:
    """Return the session for a `with`, at whose end it is closed, with nothing in hand."""

    def leave() -> None:
        with suppress(OSError, BrokerUnavailable):  # it has ended already
            session.ask("leave")
        session.end()

    session.close = leave
    return closing(session)


plugin = Ledger()
