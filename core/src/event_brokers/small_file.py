"""Reads a file that is text and small: a configuration, a secret."""

from __future__ import annotations

from pathlib import Path

from event_brokers.wording import system_reason

MOST_BYTES = 1_000_000


def read_text(file: str) -> str:
    """Return the text of a file, without a byte order mark.

    Parameters:
        file: its path.

    Raises:
        ValueError: it cannot be read, holds more than `MOST_BYTES`, or is not UTF-8; a clause.
    """
    if "\0" in file:
        raise ValueError("a path holds no null character")
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(system_reason(error, "cannot be read")) from error
    if len(content) > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
