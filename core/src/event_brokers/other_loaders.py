"""Sections that are written for another program's loader, which finds its class by a dotted type.

Each such type is an entry point of the group `event_brokers.sections`: the function that makes of
the section what it would be without that program.
"""

from __future__ import annotations

from collections.abc import Callable

from event_brokers.registrations import registrations
from event_brokers.section import Section

GROUP = "event_brokers.sections"


def as_ours(section: Section) -> Section:
    """Return a section as it would stand for us alone; one that is ours comes back as it is.

    Raises:
        ConfigurationError: it does not say which broker, or says it twice.
    """
    type_name = section.values.get("type")
    reader = _reader(type_name) if isinstance(type_name, str) and "." in type_name else None
    return section if reader is None else reader(section)


def _reader(type_name: str) -> Callable[[Section], Section] | None:
    found = [each for each in registrations(GROUP, type_name) if each.name == type_name]
    reader: Callable[[Section], Section] | None = found[0].load() if found else None
    return reader
