"""A destination as the page shows it: its state in words, its numbers, and its room."""

from __future__ import annotations

import shutil
from typing import Any

from event_brokers import Status
from event_brokers.consumer import RECEIVED
from event_brokers.destinations import Destination
from event_brokers.secret import mask

_UNREADABLE = "The spool cannot be read as it stands there"
_NUMBERS = (
    "accepted", "delivered", "pending", "dead_letters", "oldest_pending_seconds",
    "last_confirm_seconds", "delivered_last_minute", "next_attempt_seconds", "state_seconds",
)  # fmt: skip


def described(destination: Destination) -> dict[str, Any]:
    """Return what the page shows of a destination, without secrets.

    Parameters:
        destination: as it was seen just now.
    """
    look, settings = destination.look, destination.settings
    status = look.status
    found: dict[str, Any] = {
        "name": look.name,
        "type": look.type,
        "place": settings.place(),
        "spool": settings.delivery.spool,
        "delivers_here": _delivers_here(destination),
        "state": _state(destination),
        "sentence": _sentence(destination),
        "error": None if destination.problem is None else _masked(destination, destination.problem),
        "room": _room(destination),
    }
    if status is not None:
        found |= {name: getattr(status, name) for name in _NUMBERS}
        if status.last_error is not None:
            found["error"] = _masked(destination, status.last_error)
    return found


def consumers() -> list[dict[str, Any]]:
    """Return the consumers of this process; how far they are behind no plugin tells."""
    return [
        {"name": each.name, "type": each.type, "group": each.group, "received": each.events}
        for each in RECEIVED.all()
    ]


def in_words(seconds: float) -> str:
    """Return how long something takes, as people say it."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min" if minutes >= 10 else f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} days"


def _masked(destination: Destination, text: str) -> str:
    return mask(text, destination.settings.secrets())


def _state(destination: Destination) -> str:
    if destination.look.status is None:
        return "unreadable"
    return destination.look.status.state if destination.look.is_attended else "unattended"


def _delivers_here(destination: Destination) -> bool:
    """Return whether this process delivers its events, and so measures how long that takes.

    Of the processes that share a spool one has the right to deliver, and connects as it gets it.
    """
    if destination.engine is None:
        return False
    measured = destination.look.measured
    return destination.look.spool is None or any(measured.attempts.values() if measured else ())


def _sentence(destination: Destination) -> str:
    status, state = destination.look.status, _state(destination)
    if status is None:
        return _UNREADABLE
    lasts = "" if status.state_seconds is None else f" for {in_words(status.state_seconds)}"
    match state:
        case "unattended":
            return f"No process delivers now; {_waiting(status)}"
        case "connected":
            return f"Connected{lasts}; it {status.next_step}"
        case "retrying":
            return f"Not connected{lasts}; it {status.next_step}"
        case "halted":
            return f"Halted{lasts}: a person must change something; it {status.next_step}"
        case "closed":
            return "Closed: it delivers nothing more"
    return f"Connecting{lasts}"


def _waiting(status: Status) -> str:
    match status.pending:
        case 0:
            return "nothing waits"
        case 1:
            return "1 event waits"
        case count:
            return f"{count:,} events wait"


def _room(destination: Destination) -> dict[str, Any]:
    """Return how much room is used of what may be, in bytes and in events."""
    look, delivery = destination.look, destination.settings.delivery
    return {
        "bytes": look.size,
        "max_bytes": delivery.max_bytes,
        "max_pending": delivery.max_pending,
        "max_dead_letter_bytes": delivery.max_dead_letter_bytes,
        "disk_free": _free(look.spool),
    }


def _free(folder: str | None) -> int | None:
    if folder is None:
        return None
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None  # no folder yet
