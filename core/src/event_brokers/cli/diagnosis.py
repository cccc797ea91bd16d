"""What `event-brokers doctor` looks at: each function yields what it finds, with what it means."""

from __future__ import annotations

import ctypes
import shutil
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from enum import IntEnum
from pathlib import Path

import msgspec

from event_brokers import certificates
from event_brokers.cli.check import ask
from event_brokers.cli.exit_codes import ExitCode, exit_code
from event_brokers.condition import State
from event_brokers.core_range import CORE, version_of_core
from event_brokers.errors import ConfigurationError, EventBrokersError, SpoolError
from event_brokers.look import Look, folder_of, look_from_outside
from event_brokers.settings import Settings
from event_brokers.status import Status
from event_brokers.wording import system_reason

EXPIRY_DAYS = 30  # before the end of a certificate that somebody should know
_FULL_PERCENT = 80
_LEAST_FREE_BYTES = 64 * 1024 * 1024
_MIB = 1024**2
_FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_FOR_OTHERS_TO_READ = stat.S_IRGRP | stat.S_IROTH
_CERTIFICATE_OPTIONS = ("ssl_cafile", "ssl_certfile")
_KEY_OPTIONS = ("ssl_keyfile", "ssl_certfile")
_TIMEX_BYTES = 256  # struct timex has 208
_TIME_ERROR = 5  # what adjtimex(2) returns while nothing keeps the clock right


class Verdict(IntEnum):
    """What a finding means, worst first."""

    WRONG = 0
    WARNING = 1
    OK = 2


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        verdict: whether something is to be done.
        subject: what was looked at, a word or two.
        text: a clause.
        code: how the command ends where it is wrong.
    """

    verdict: Verdict
    subject: str
    text: str
    code: ExitCode = ExitCode.EX_OK


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


def of_permissions(settings: Settings, endpoints_file: str) -> Iterator[Finding]:
    """Say which files others can read, or change, that should be nobody else's."""
    file, folder = Path(endpoints_file), folder_of(settings)
    findings = []
    text = file.read_text(encoding="utf-8", errors="replace")
    if _others_may(file, _FOR_OTHERS_TO_READ) and any(each in text for each in settings.secrets()):
        findings.append(f"'{file}' holds a secret, and others can read it; chmod go-r")
    for option in _KEY_OPTIONS:
        key = getattr(settings.options, option, None)
        if key is not None and _holds_key(Path(key)) and _others_may(Path(key), _FOR_OTHERS):
            findings.append(f"{option}: '{key}' holds a key, and others can read it; chmod go-rwx")
    if folder is not None and _others_may(Path(folder), _FOR_OTHERS):
        findings.append(f"'{folder}' holds conversations, and others can look in; chmod go-rwx")
    yield from (Finding(Verdict.WARNING, "permissions", text) for text in findings)
    if not findings:
        yield Finding(Verdict.OK, "permissions", "nothing that is secret can be read by others")


def of_certificates(settings: Settings) -> Iterator[Finding]:
    """Say for how many days the certificates are valid; ask the broker first, for its own."""
    for option in _CERTIFICATE_OPTIONS:
        file = getattr(settings.options, option, None)
        if file is None:
            continue
        try:
            expiries = certificates.expiries_in(file)
        except OSError as error:
            text = f"{option}: '{file}' cannot be read: {system_reason(error)}"
            yield Finding(Verdict.WRONG, "tls", text, ExitCode.EX_CONFIG)
        except ValueError as error:
            text = f"{option}: '{file}' {error}"
            yield Finding(Verdict.WRONG, "tls", text, ExitCode.EX_CONFIG)
        else:
            # of a bundle of authorities the first to end; the others are not all of use
            yield from (_of_expiry(f"{option}: '{file}'", each) for each in sorted(expiries)[:1])
    for server, expiry in certificates.expiries_of_servers():
        yield _of_expiry(f"the certificate of '{server}'", expiry)


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
        return Finding(Verdict.OK, "spool", f"{status.state}, {waiting}; it {status.next_step}")
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


def _of_expiry(what: str, expiry: datetime) -> Finding:
    days = (expiry.timestamp() - time.time()) / 86400
    if days < 0:
        text = f"{what} expired {-days:.0f} days ago; renew it"
        return Finding(Verdict.WRONG, "tls", text, ExitCode.EX_CONFIG)
    text = f"{what} is valid for {days:.0f} days"
    if days < EXPIRY_DAYS:
        return Finding(Verdict.WARNING, "tls", f"{text}; renew it")
    return Finding(Verdict.OK, "tls", text)


def _others_may(path: Path, rights: int) -> bool:
    try:
        return bool(path.stat().st_mode & rights)
    except OSError:
        return False  # missing, or closed to the user, which is said of the file or the spool


def _holds_key(path: Path) -> bool:
    try:
        return b"PRIVATE KEY-----" in path.read_bytes()
    except OSError:
        return False  # said where certificates are looked at
