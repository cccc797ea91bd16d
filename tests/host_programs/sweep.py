"""A program that strikes every line of what a thread calls on a broker, and looks what is left.

Arguments: what strikes, where events wait (a folder, or "memory"), and how many lines to go on each
time. Says how many lines each call has, and after which of them a promise was broken.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from event_brokers import BrokerClosed, Event, EventBroker, Status
from event_brokers.testing import MemoryBroker
from host_programs.striking import Strike, lines_of
from waiting import wait_until

CALLS = ("publish", "publish_many", "flush", "status", "close")
STRIKES = ("exception", "close", "close elsewhere", "publish", "flush", "status")
DEADLINE_SECONDS = 20.0  # for what takes milliseconds
FAILURES_AT_MOST = 3  # each may cost the deadline, and a thread that hangs
STRIKES_A_BROKER = 40
SLOWNESS_SECONDS = 0.002
HANDED_OVER_SECONDS = 0.05  # until the plugin has an event, if it is to get it


class Struck(KeyboardInterrupt):
    """What a signal handler raises."""


class Broken(Exception):
    """A promise that does not hold; says which."""


@dataclass
class Ledger:
    """What callers were told of their events, by number.

    Attributes:
        accepted: `publish` has returned.
        refused: BrokerClosed was raised: nothing of the call was accepted.
        interrupted: nobody knows, but all events of one call share their fate.
    """

    accepted: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    interrupted: list[Sequence[int]] = field(default_factory=list)


class Scene:
    """One broker, a plugin that takes everything, and what the callers were told.

    Parameters:
        spool: the folder of the spool; None in memory.
    """

    def __init__(self, spool: Path | None) -> None:
        self.ledger = Ledger()
        self.strikes = 0
        self._memory = MemoryBroker()
        self._numbers = count()
        self._closing: threading.Thread | None = None
        self._has_spool = spool is not None
        in_spool = {"spool": str(spool), "durability": "process"}
        self._start = partial(self._memory.start, **in_spool if self._has_spool else {})
        self.broker: EventBroker = self._start()

    def publish(self) -> None:
        """Publish one event."""
        number = next(self._numbers)
        self._publish([number], lambda: self.broker.publish({"number": number}, timeout=60))

    def publish_many(self) -> None:
        """Publish three events in one call."""
        numbers = [next(self._numbers) for _ in range(3)]
        events = [{"number": number} for number in numbers]
        self._publish(numbers, lambda: self.broker.publish_many(events, timeout=60))

    def flush(self) -> None:
        """Wait until all has left that was accepted before."""
        accepted = set(self.ledger.accepted)
        status = self.broker.flush()
        if waiting := accepted - set(self._stored()):
            raise Broken(f"flush has returned although {len(waiting)} events wait: {status}")

    def status(self) -> None:
        """Look whether the counts add up."""
        if not _adds_up(status := self.broker.status()):
            raise Broken(f"the counts do not add up: {status}")

    def close(self) -> None:
        """Close the broker, and look whether it has let go of everything."""
        status = self.broker.close()
        if status.state != "closed" or (status.pending and not self._has_spool):
            raise Broken(f"close has returned with {status}")

    def keep_busy(self) -> None:
        """Let some events wait for a plugin that is slow for once."""
        self._memory.publishes.append(lambda _: _pause(SLOWNESS_SECONDS))
        self.publish_many()

    def hold_back(self) -> None:
        """Let the plugin keep what it is given without an answer."""
        self._memory.hang()

    def close_elsewhere(self) -> None:
        """Let another thread close, while the plugin may have what is being published."""
        batches = len(self._memory.batches)
        self._closing = threading.Thread(target=self.broker.close, daemon=True)
        self._closing.start()
        wait_until(self._is_closed, DEADLINE_SECONDS)
        with suppress(AssertionError):
            wait_until(lambda: len(self._memory.batches) > batches, HANDED_OVER_SECONDS)

    def go_on(self) -> None:
        """Let the plugin answer, and wait for the thread that closes."""
        self._memory.answer()
        if self._closing is not None:
            self._closing.join()

    def open_again(self) -> None:
        """Let the next program deliver what `close` has left in the spool."""
        if self._has_spool:
            self.broker = self._start()

    def check(self) -> None:
        """See that every event is where the callers were told it is, once.

        Raises:
            Broken: it is not.
        """
        with suppress(AssertionError):  # what is wrong is said below
            wait_until(self._is_quiet, DEADLINE_SECONDS / 2)
        ledger, stored = self.ledger, self._stored()
        if len(set(stored)) != len(stored):
            raise Broken("an event was delivered twice")
        if lost := set(ledger.accepted) - set(stored):
            raise Broken(f"{len(lost)} events were lost whose publish had returned")
        if set(ledger.refused) & set(stored):
            raise Broken("an event was delivered that close had refused")
        for call in ledger.interrupted:
            if 0 < len(set(call) & set(stored)) < len(call):
                raise Broken("publish_many has accepted some of its events, and not the others")
        status = self.broker.status()
        counts = (status.accepted, status.delivered, status.pending, status.dead_letters)
        if counts != (len(stored), len(stored), 0, 0):
            raise Broken(f"{len(stored)} events were delivered, and the counts say {status}")

    def _publish(self, numbers: Sequence[int], call: Callable[[], object]) -> None:
        try:
            call()
        except BrokerClosed:
            self.ledger.refused.extend(numbers)
            raise
        except BaseException:
            self.ledger.interrupted.append(numbers)
            raise
        self.ledger.accepted.extend(numbers)

    def _is_closed(self) -> bool:
        try:
            self.publish()
        except BrokerClosed:
            return True
        return False

    def _is_quiet(self) -> bool:
        """Return whether nothing is under way, of what an interrupted call has left, too."""
        status = self.broker.status()
        return not status.pending and status.delivered == len(self._memory.arrived)

    def _stored(self) -> list[int]:
        return [_number(event) for event in self._memory.arrived]


class Sweep:
    """Strikes line after line.

    Parameters:
        strike: one of STRIKES.
        folder: for spools; None where events wait in memory.
        step: 1 strikes every line.
    """

    def __init__(self, strike: str, folder: Path | None, step: int) -> None:
        self.failures: list[dict[str, Any]] = []
        self._strike = strike
        self._folder = folder
        self._step = step
        self._scenes = count()
        self._scene: Scene | None = None

    def run(self, call: str) -> int:
        """Strike every line of a call; return how many there are.

        Parameters:
            call: one of CALLS.
        """
        for line in count(1, self._step):
            if len(self.failures) == FAILURES_AT_MOST or not self._strikes(call, line):
                return line - 1
        raise AssertionError("there are more lines than numbers")

    def end(self) -> None:
        """Close the broker that is still there."""
        if self._scene is not None:
            within("the last close", self._scene.close)
            within("the last look", self._scene.check)

    def _strikes(self, call: str, line: int) -> bool:
        """Strike one line, and look what is left; return whether the call has so many lines."""
        strike = Strike(line, lambda: self._act(scene))
        try:
            scene = self._scene_for(call)
            self._call_and_look(scene, call, strike)
        except Exception as failure:  # noqa: BLE001 - reported, with where it came about
            self._scene = None  # what hangs there goes on hanging
            self.failures.append(
                {"call": call, "line": line, "where": strike.where, "problem": _told(failure)}
            )
        return bool(strike.where)

    def _call_and_look(self, scene: Scene, call: str, strike: Strike) -> None:
        if call in ("flush", "status", "close"):
            scene.keep_busy()

        def struck() -> None:
            with strike:
                getattr(scene, call)()

        if self._strike == "close elsewhere":
            scene.hold_back()
        scene.strikes += 1
        expected = (Struck, BrokerClosed) if self._ends_broker(call) else (Struck,)
        within(call, struck, expected)
        within("the thread that closes", scene.go_on)
        if self._ends_broker(call):
            within("publish after close", scene.publish, (BrokerClosed,))
            within("close", scene.close)
            within("flush after close", scene.broker.flush)
            within("status after close", scene.status)
            within("the next start", scene.open_again)
        else:
            within("publish in another thread", scene.publish)
            within("flush in another thread", scene.flush)
        within("status", scene.status)
        within("the look at what was delivered", scene.check)
        if self._ends_broker(call):
            within("close of the next", scene.close)

    def _act(self, scene: Scene) -> None:
        if self._strike == "exception":
            raise Struck
        try:
            getattr(scene, self._strike.replace(" ", "_"))()
        except BrokerClosed:
            if self._strike != "publish":
                raise

    def _ends_broker(self, call: str) -> bool:
        return call == "close" or self._strike.startswith("close")

    def _scene_for(self, call: str) -> Scene:
        scene = self._scene
        if scene is not None and scene.strikes < STRIKES_A_BROKER and not self._ends_broker(call):
            return scene
        if scene is not None and not self._ends_broker(call):
            self.end()
        folder = None if self._folder is None else self._folder / str(next(self._scenes))
        self._scene = scene = Scene(folder)
        within("the first publish", scene.publish)
        within("the first flush", scene.flush)
        return scene


def calls_for(strike: str) -> Sequence[str]:
    """Return the calls that a strike is for."""
    return CALLS[:2] if strike == "close elsewhere" else CALLS


def within(
    what: str, call: Callable[[], object], expected: tuple[type[BaseException], ...] = ()
) -> None:
    """Call on a thread of its own, and return when it has ended.

    Parameters:
        what: the call, in words.
        call: may last for DEADLINE_SECONDS.
        expected: exceptions that it may raise.

    Raises:
        Broken: it has not ended, or has raised something else.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as failure:  # noqa: BLE001 - raised by the thread that waits
            failures.append(failure)

    thread = threading.Thread(target=run, name=what, daemon=True)
    thread.start()
    thread.join(DEADLINE_SECONDS)
    if thread.is_alive():
        frame = sys._current_frames()[thread.ident or 0]
        raise Broken(f"{what} hangs at {lines_of(frame)}")
    if failures and not isinstance(failures[0], expected):
        raise Broken(f"{what}: {_told(failures[0])}") from failures[0]


def _adds_up(status: Status) -> bool:
    return status.accepted == status.delivered + status.pending + status.dead_letters


def _number(event: Event) -> int:
    number: int = json.loads(event.body)["number"]
    return number


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def _told(failure: BaseException) -> str:
    return str(failure) if isinstance(failure, Broken) else f"{type(failure).__name__}: {failure}"


def main() -> None:
    """Do what the arguments say."""
    strike, waits, step = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sys.unraisablehook = lambda unraisable: (
        None if unraisable.exc_type is Struck else sys.__unraisablehook__(unraisable)
    )
    sweep = Sweep(strike, None if waits == "memory" else Path(waits), step)
    lines = {call: sweep.run(call) for call in calls_for(strike)}
    if not sweep.failures:
        sweep.end()
    sys.stdout.write(json.dumps({"lines": lines, "failures": sweep.failures}))
    if sweep.failures:
        sys.stdout.flush()
        os._exit(0)  # threads that hang would keep it from ending


if __name__ == "__main__":
    main()
