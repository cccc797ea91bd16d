"""What `event-brokers doctor` finds at files: which of them others can read, or change."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from event_brokers.cli.finding import Finding, Verdict
from event_brokers.look import folder_of
from event_brokers.settings import Settings

_FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_FOR_OTHERS_TO_READ = stat.S_IRGRP | stat.S_IROTH
_KEY_OPTIONS = ("ssl_keyfile", "ssl_certfile")


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
