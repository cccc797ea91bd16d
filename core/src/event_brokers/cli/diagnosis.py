"""What `event-brokers doctor` finds at broker, spool, disk, clock and versions."""

from __future__ import annotations

import ctypes
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from event_brokers.cli.check import ask
from event_brokers.cli.exit_codes import ExitCode, exit_code
from event_brokers.cli.finding import Finding, Verdict
from event_brokers.condition import State
from event_brokers.core_range import CORE, version_of_core
from event_brokers.errors import ConfigurationError, EventBrokersError, SpoolError
from event_brokers.look import Look, folder_of, look_from_outside
from event_brokers.settings import Settings
from event_brokers.status import Status

LATE_SECONDS = 60.0  # that an event waits while nothing fails; the longest call of a hook is 30 s
_FULL_PERCENT = 80
_LEAST_FREE_BYTES = 64 * 1024 * 1024
_MIB = 1024**2
_TIMEX_BYTES = 256  # struct timex has 208
_TIME_ERROR = 5  # what adjtimex(2) returns while nothing keeps the clock right


def of_versions(settings: Settings | None) -> Iterator[Finding]:
    """Say what is installed."""
    parts = [f"Python {sys.version.split()[0]}", f"{CORE} {version_of_core()}"]
    if settings is not None:
        parts.append(settings.plugin.distribution)
    parts.append(f"SQLite {sqlite3.sqlite_version}")
    yield Finding(Verdict.OK, "versions", ", ".join(parts))


def of_clock() -> Iterator[Finding]:
    """Say what time it is here, and whether something keeps the clock right."""
    now = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    if _is_adrift():
        yield Finding(Verdict.WARNING, "clock", f"{now}, and nothing keeps it right; run NTP")
    else:
        yield Finding(Verdict.OK, "clock", now)


def of_broker(settings: Settings, timeout: float) -> Iterator[Finding]:
    """Ask the broker whether events would arrive.

    Parameters:
        settings: which broker it is.
        timeout: seconds that it may take.
    """
    try:
        found = ask(settings, timeout)
    except EventBrokersError as error:
        yield Finding(Verdict.WRONG, "broker", str(error), exit_code(error))
    else:
        yield from (Finding(Verdict.OK, "broker", sentence) for sentence in found)


def of_spool(settings: Settings) -> Iterator[Finding]:
    """Say what waits in the spool, how its delivery goes, and what room is left."""
    folder = folder_of(settings)
    if folder is None:
        text = "there is none: events wait in memory, and are lost when the program is killed"
        yield Finding(Verdict.WARNING, "spool", text)
        return
    try:
        look = look_from_outside(settings)
    except (ConfigurationError, SpoolError) as error:
        yield Finding(Verdict.WRONG, "spool", str(error), exit_code(error))
        return
    status = look.status
    if status is not None and not (status.accepted or look.is_attended):
        yield Finding(Verdict.OK, "spool", f"'{folder}': nothing was published into it yet")
    elif status is not None:
        yield _of_delivery(look, status)
        yield from _of_last_confirm(status)
        yield _of_dead_letters(status)
    yield from _of_disk(settings, folder, look.size)


def _is_adrift() -> bool:
    """Return whether Linux says that its clock is not kept right."""
    try:
        ask_kernel = ctypes.CDLL(None).adjtimex
    except (AttributeError, OSError, TypeError):
        return False  # another system, which does not tell
    # all zeros: to be told, and change nothing
    return bool(ask_kernel(ctypes.create_string_buffer(_TIMEX_BYTES)) == _TIME_ERROR)


def _of_delivery(look: Look, status: Status) -> Finding:
    waiting = f"{status.pending} events wait"
    if status.oldest_pending_seconds is not None:
        waiting += f", the oldest for {status.oldest_pending_seconds:.0f} s"
    if not look.is_attended:
        if not status.pending:
            return Finding(Verdict.OK, "spool", "nothing waits, and no process delivers now")
        text = f"{waiting}, and no process delivers them; start the program that publishes"
        return Finding(Verdict.WRONG, "spool", text, ExitCode.EX_TEMPFAIL)
    if status.last_error is None:
        text = f"{status.state}, {waiting}; it {status.next_step}"
        if (status.oldest_pending_seconds or 0.0) <= LATE_SECONDS:
            return Finding(Verdict.OK, "spool", text)
        text += ", but late: the broker is slow, or the process that delivers does not go on"
        return Finding(Verdict.WARNING, "spool", text)
    code = ExitCode.EX_CONFIG if status.state == State.HALTED.value else ExitCode.EX_TEMPFAIL
    since = f" for {status.state_seconds:.0f} s" if status.state_seconds is not None else ""
    text = f"{status.state}{since}: {status.last_error}; {waiting}; it {status.next_step}"
    return Finding(Verdict.WRONG, "spool", text, code)


def _of_last_confirm(status: Status) -> Iterator[Finding]:
    if status.last_confirm_seconds is None:
        return
    text = (
        f"the last confirm came {status.last_confirm_seconds:.0f} s ago; "
        f"{status.delivered_last_minute} in the last minute, {status.delivered} in all"
    )
    yield Finding(Verdict.OK, "delivery", text)


def _of_dead_letters(status: Status) -> Finding:
    if not status.dead_letters:
        return Finding(Verdict.OK, "dead letters", "none")
    text = (
        f"{status.dead_letters}; 'event-brokers spool list' shows why, 'spool retry' sends them "
        "again, 'spool drop' forgets them"
    )
    return Finding(Verdict.WARNING, "dead letters", text)


def _of_disk(settings: Settings, folder: str, size: int) -> Iterator[Finding]:
    most = settings.delivery.max_bytes
    free = _free_bytes(Path(folder))
    text = f"{size / _MIB:.1f} of {most / _MIB:.0f} MiB used, {free / _MIB:.0f} MiB free on disk"
    if free < _LEAST_FREE_BYTES:
        text = f"{text}; make room, or publish will raise SpoolError"
        yield Finding(Verdict.WRONG, "disk", text, ExitCode.EX_IOERR)
    elif size > most * _FULL_PERCENT / 100:
        text = f"{text}; publish will raise QueueFull at delivery.max_bytes"
        yield Finding(Verdict.WARNING, "disk", text)
    elif free < most - size:
        text = f"{text}: less than delivery.max_bytes allows; make room, or lower it"
        yield Finding(Verdict.WARNING, "disk", text)
    else:
        yield Finding(Verdict.OK, "disk", text)


def _free_bytes(folder: Path) -> int:
    """Return what is free where a folder stands, or would be made."""
    try:
        return shutil.disk_usage(folder).free
    except FileNotFoundError:
        return _free_bytes(folder.parent)
