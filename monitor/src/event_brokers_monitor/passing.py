"""Events as they pass: read back from the broker, or looked at while they wait."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from event_brokers import ConfigurationError, Consumer, Event, EventBrokersError, ReceivedEvent
from event_brokers.destinations import Destination
from event_brokers.secret import mask

KEPT = 500
BODY_CHARACTERS = 2_000
_IDLE_SECONDS = 15.0  # after which nobody watches any more
_LOOK_SECONDS = 0.25
_LOOKED_AT = 200


class Passed(msgspec.Struct, frozen=True):
    """One event that was seen.

    Attributes:
        number: how many were seen before it, and one.
        id: the event's; None where whoever published it gave none.
        type: its `event`.
        sender_id: the conversation.
        time: when it was seen, seconds since 1970.
        bytes: of its body.
        origin: where it was seen, in words.
        body: the beginning of its body; None where bodies are not shown.
    """

    number: int
    id: str | None
    type: str | None
    sender_id: str | None
    time: float
    bytes: int
    origin: str
    body: str | None


class Watch:
    """Watches one destination on a thread of its own, and ends by itself when nobody asks any more.

    A plugin that does not let go holds up another thread of its own, and nobody else.

    Parameters:
        destination: whose events.
        find: looks at it again; None where it is gone.
        shows_bodies: whether bodies are kept.
    """

    def __init__(
        self, destination: Destination, find: Callable[[], Destination | None], shows_bodies: bool
    ) -> None:
        self.note = ""
        self.mark = secrets.token_hex(4)  # another watch has other numbers for the same events
        self._find = find
        self._settings = destination.settings
        self._shows_bodies = shows_bodies
        self._seen: deque[Passed] = deque(maxlen=KEPT)
        self._number = 0
        self._asked = time.monotonic()
        self._ended = threading.Event()
        self._consumer: Consumer | None = None
        self._watching = threading.Thread(target=self._run, name="monitor-events", daemon=True)
        self._watching.start()
        threading.Thread(target=self._let_go, name="monitor-events-end", daemon=True).start()

    @property
    def has_let_go(self) -> bool:
        """Whether it has ended, and the plugin has as well."""
        return not self._watching.is_alive()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or is to."""
        return self._ended.is_set() or time.monotonic() - self._asked > _IDLE_SECONDS

    def ask(self, after: int, limit: int) -> list[Passed]:
        """Return what was seen behind a number: the latest, oldest first.

        Parameters:
            after: the number of the last event that is known.
            limit: how many at most.
        """
        self._asked = time.monotonic()
        return [each for each in self.seen() if each.number > after][-limit:]

    def seen(self) -> list[Passed]:
        """Return what is kept of it, oldest first."""
        return list(self._seen)

    @property
    def number(self) -> int:
        """How many events were seen so far."""
        return self._number

    def end(self) -> None:
        """Watch no more; does not wait until the plugin has let go."""
        self._ended.set()

    def _let_go(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            if self.is_over:
                self._ended.set()
        consumer = self._consumer
        if consumer is not None:
            consumer.close()
        self._watching.join()
        self._seen.clear()

    def _run(self) -> None:
        try:
            self._consume()
        except ConfigurationError as error:
            why = mask(str(error), self._settings.secrets())
            self.note = f"Seen while they wait, so what leaves at once is missing: {why}"
            self._look_again_and_again()

    def _consume(self) -> None:
        self._consumer = Consumer(self._settings, None, from_start=False)
        self.note = "Seen as they arrive at the broker."
        with self._consumer as consumer:
            while not self._ended.is_set():
                received = next(consumer, None)
                if received is None:
                    return
                self._add_received(received)

    def _look_again_and_again(self) -> None:
        known: set[str] = set()
        while not self._ended.wait(_LOOK_SECONDS):
            destination = self._find()
            if destination is None:
                self.note = "The destination is gone."
                continue
            try:
                waiting = destination.latest(_LOOKED_AT)
            except EventBrokersError as error:
                self.note = mask(str(error), self._settings.secrets())
                continue
            for event in reversed(waiting):
                if event.id not in known:
                    self._add_waiting(event)
            known = {event.id for event in waiting}

    def _add_received(self, received: ReceivedEvent) -> None:
        event = received.event or {}
        sender, kind = event.get("sender_id"), event.get("event")
        self._add(received.id, kind, sender, received.body, received.origin)

    def _add_waiting(self, event: Event) -> None:
        self._add(event.id, event.type, event.sender_id, event.body, "waits")

    def _add(self, id_: str | None, kind: object, sender: object, body: bytes, origin: str) -> None:
        shown = shown_body(body) if self._shows_bodies else None
        self._seen.append(
            Passed(
                number=self._number + 1,
                id=id_,
                type=None if kind is None else str(kind),
                sender_id=None if sender is None else str(sender),
                time=time.time(),
                bytes=len(body),
                origin=origin,
                body=shown,
            )
        )
        self._number += 1


class Watches:
    """Those that run now, one for each destination that somebody watches.

    Parameters:
        find: from a name to a destination; None where there is none.
        shows_bodies: whether bodies are kept.
    """

    def __init__(self, find: Callable[[str], Destination | None], shows_bodies: bool) -> None:
        self._find = find
        self._shows_bodies = shows_bodies
        self._running: dict[str, Watch] = {}
        self._turn = threading.Lock()

    def of(self, name: str) -> Watch | None:
        """Return what watches a destination, and begin where nothing does; None without one."""
        with self._turn:
            if name in self._now():
                return self._running[name]
        destination = self._find(name)  # reads files, and nobody waits for that but who asks
        if destination is None:
            return None
        with self._turn:
            if name not in self._now():
                find = lambda: self._find(name)  # noqa: E731 - bound to this name
                self._running[name] = Watch(destination, find, self._shows_bodies)
            return self._running[name]

    def seen(self, name: str) -> list[Passed]:
        """Return what was seen of a destination, if it is watched; that does not begin it."""
        with self._turn:
            watch = self._now().get(name)
        return [] if watch is None else watch.seen()

    def end_all(self) -> list[Watch]:
        """End all of them, and return those that may have to be waited for."""
        with self._turn:
            ended = list(self._running.values())
            self._running.clear()
        for watch in ended:
            watch.end()
        return ended

    def _now(self) -> dict[str, Watch]:
        """Return those that are not over, and forget the others."""
        for name, watch in list(self._running.items()):
            if watch.is_over:
                watch.end()  # a stream that comes late must not let it go on beside the next one
                del self._running[name]
        return self._running


def shown_body(body: bytes) -> str:
    """Return the beginning of a body as text."""
    text = body[: 4 * BODY_CHARACTERS].decode(errors="replace")
    return text if len(text) <= BODY_CHARACTERS else f"{text[:BODY_CHARACTERS]}…"
