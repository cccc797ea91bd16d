"""Words that several sentences share: a guess at what was meant, an error in one line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'port'?" for a near miss, and nothing where none is near."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def line_of(file: str, line: int | None = None) -> str:
    """Return "endpoints.yml:3: ", with which a sentence begins; nothing where there is no file.

    Parameters:
        file: its name, or nothing.
        line: from 1; None where nobody knows.
    """
    if not file:
        return ""
    return f"{file}: " if line is None else f"{file}:{line}: "


def system_reason(error: OSError, otherwise: str = "cannot be used") -> str:
    """Return what the operating system says, as a lower-case clause.

    Parameters:
        error: of a file or a socket.
        otherwise: the clause where the system says nothing.
    """
    return (error.strerror or otherwise).lower()


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says; nothing where it says nothing."""
    return str(error).strip().partition("\n")[0]


def name_and_first_line(error: BaseException) -> str:
    """Return "OSError: reset" for an error whose text alone does not say what kind it is."""
    line = first_line(error)
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def printable(text: str) -> str:
    """Return the text with every character that could move a cursor, or forge a line, escaped.

    Parameters:
        text: from an event, a broker or a file; shown on somebody's terminal.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def printable_json(text: str) -> str:
    """Return the same JSON with each such character, but its own line ends, as \\u....

    Parameters:
        text: a JSON document that somebody's terminal may show.
    """
    return "\n".join(
        line if line.isprintable() else _escaped_in_json(line) for line in text.split("\n")
    )


def _escaped_in_json(line: str) -> str:
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in line)
