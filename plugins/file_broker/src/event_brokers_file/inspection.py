"""What `event-brokers check` says; looks, and changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

from event_brokers.plugin import ConfigurationError
from event_brokers_file.event_file import refuse_other_kinds
from event_brokers_file.failures import explaining
from event_brokers_file.options import DEFAULT_ROTATE_BYTES, FileOptions
from event_brokers_file.rotated_files import RotatedFiles
from event_brokers_file.standard_output import require_open

_RASAS_FILE = "rasa_event.log"
_STANDARD_OUTPUT = (
    "events go to standard output, path '-', which keeps nothing: durability has no effect, and "
    "nothing can be consumed"
)
_DURABLE = {
    "power": "an event is delivered when it is flushed to the disk",
    "process": "an event is delivered when the system has it; a power cut may take the last ones",
}


def inspect(options: FileOptions) -> list[str]:
    """Return what was found, a sentence each, and change nothing.

    Parameters:
        options: of `type: file`.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: the file cannot be looked at now.
    """
    if options.is_standard_output:
        require_open()
        return [
            _STANDARD_OUTPUT,
            _describe_lines(options),
        ]
    path = Path(os.path.realpath(options.file))
    with explaining(path):
        found = _describe_file(options.file, path)
        rotated = len(RotatedFiles(path).find())
    return [found, _describe_rotation(options, rotated), _DURABLE[options.durability],
            _describe_lines(options)]  # fmt: skip


def _describe_file(given: Path, path: Path) -> str:
    refuse_other_kinds(path)
    name = f"'{path}'" if path == given else f"'{path}', to which '{given}' leads"
    if not path.exists():
        _require_right(path.parent, os.W_OK | os.X_OK)
        return f"missing is the file {name}; it is made at the first connect"
    _require_right(path, os.R_OK | os.W_OK)
    return f"connected to the file {name}: {path.stat().st_size} bytes"


def _require_right(path: Path, right: int) -> None:
    path.stat()
    if not os.access(path, right):
        raise ConfigurationError(
            f"event_broker.path: '{path}': permission denied; let this user write it and its folder"
        )


def _describe_rotation(options: FileOptions, rotated: int) -> str:
    there = f"{rotated} rotated file{'' if rotated == 1 else 's'} found"
    if options.rotate is None:
        return f"it is never rotated, {there}"
    when = f"when it has {options.rotate_bytes or DEFAULT_ROTATE_BYTES} bytes"
    kept = "all are kept" if options.keep is None else f"{options.keep} are kept"
    packed = ", compressed" if options.compress else ""
    return f"it is rotated {'daily' if options.rotate == 'day' else when}; {kept}{packed}, {there}"


def _describe_lines(options: FileOptions) -> str:
    named = "" if options.path == _RASAS_FILE else f"; Rasa's file is '{_RASAS_FILE}'"
    if options.event_ids:
        return f"a line is the event, as in Rasa, and beside it the key event_broker{named}"
    return f"a line is the event, as in Rasa; ids and headers are not kept{named}"
