"""What can be seen of one broker's events and their delivery, also from outside its process."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from event_brokers.condition import Condition, Progress, State
from event_brokers.measurements import Measured
from event_brokers.queues.choice import spool_view
from event_brokers.queues.protocol import Counts
from event_brokers.settings import Settings
from event_brokers.status import Status


class Look(msgspec.Struct, frozen=True):
    """What was seen at one moment.

    Attributes:
        type: of the broker.
        name: of the broker; its type where nobody has given it one.
        spool: the folder in which events wait; None where they wait in memory.
        status: where the events are; None where the spool cannot be read.
        size: bytes that what waits takes.
        is_attended: whether a process is there that delivers.
        measured: what this process has measured of its delivery; None where it does not deliver.
    """

    type: str
    name: str
    spool: str | None
    status: Status | None
    size: int = 0
    is_attended: bool = True
    measured: Measured | None = None


NOBODY = Condition(State.CONNECTING)  # where nobody has said yet how delivery goes
NOTHING = Counts(0, 0, 0, 0, None)  # what a spool counts that was not made yet


def status_of(
    counts: Counts,
    condition: Condition,
    last_error: str | None = None,
    progress: Progress | None = None,
) -> Status:
    """Return where events are.

    Parameters:
        counts: of the queue.
        condition: how delivery goes.
        last_error: why nothing is delivered, where that says more than the condition.
        progress: what was confirmed lately, where that is later than the condition's.
    """
    now = time.time()
    progress = progress or condition.progress
    waits = _waits(condition, now)
    return Status(
        accepted=counts.accepted,
        delivered=counts.delivered,
        pending=counts.pending,
        dead_letters=counts.dead_letters,
        state=condition.state.value,
        last_error=last_error,
        oldest_pending_seconds=counts.oldest_pending_seconds,
        last_confirm_seconds=_since(progress.last_confirm, now),
        delivered_last_minute=progress.last_minute(now),
        state_seconds=_since(condition.since, now),
        next_attempt_seconds=waits,
        next_step=_next_step(condition.state, counts.pending, waits),
    )


def closed(status: Status) -> Status:
    """Return a status as it is once delivery has ended: without what goes on with the time."""
    return msgspec.structs.replace(
        status,
        state=State.CLOSED.value,
        state_seconds=None,
        last_confirm_seconds=None,
        next_attempt_seconds=None,
        next_step=_next_step(State.CLOSED, status.pending, None),
    )


def folder_of(settings: Settings) -> str | None:
    """Return the folder in which events wait; None where they wait in memory."""
    spool = settings.delivery.spool
    return None if spool is None else str(Path(spool).absolute())


def look_from_outside(settings: Settings) -> Look:
    """Return what can be seen of the spool that a section names, whoever delivers its events.

    Nothing there is made, claimed or repaired by looking.

    Parameters:
        settings: which name a spool.

    Raises:
        ConfigurationError: this system has no spools.
        SpoolError: it cannot be read as it stands there.
    """
    folder, type_name = folder_of(settings), settings.plugin.type
    found = None if folder is None else spool_view(folder)
    if found is None:
        return Look(type_name, type_name, folder, status_of(NOTHING, NOBODY), is_attended=False)
    condition = found.condition or NOBODY
    status = status_of(found.counts, condition, condition.last_error)
    return Look(type_name, type_name, folder, status, found.size, found.is_attended)


def _since(moment: float | None, now: float) -> float | None:
    # on the clock of the calendar, which may be put back
    return None if moment is None else max(0.0, now - moment)


def _waits(condition: Condition, now: float) -> float | None:
    if condition.next_attempt is None:
        return None
    left = max(0.0, condition.next_attempt - now)
    # no longer than it waits in all, if the clock was put back meanwhile
    return left if condition.delay is None else min(left, condition.delay)


def _next_step(state: State, pending: int, waits: float | None) -> str:
    """Return what delivery does next, a clause."""
    when = "now" if not waits else f"in {waits:.1f} s"
    match state:
        case State.CONNECTED:
            return "sends what waits" if pending else "waits for events"
        case State.CONNECTING:
            return "connects"
        case State.RETRYING:
            return f"connects again {when}"
        case State.HALTED:
            return f"looks again {when} whether somebody has mended it"
        case State.CLOSED:
            return "delivers nothing more"
