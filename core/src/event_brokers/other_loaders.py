"""Sections that were written for another program's loader: the one place that lists their readers.

Whoever reads a section asks here, and knows no such program by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from event_brokers.rasa import section as rasa
from event_brokers.section import Section

# the type with which the other program finds its class -> what makes a section of ours of it
_READERS: Mapping[str, Callable[[Section], Section]] = {rasa.TYPE: rasa.read}

# options that another program knows, which would do harm if they were ignored -> the sentence
REFUSED_OPTIONS: Mapping[str, str] = rasa.PRO_OPTIONS


def as_ours(section: Section) -> Section:
    """Return a section as it would stand for us alone; one that is ours comes back as it is.

    Raises:
        ConfigurationError: it does not say which broker, or says it twice.
    """
    type_name = section.values.get("type")
    reader = _READERS.get(type_name) if isinstance(type_name, str) else None
    return section if reader is None else reader(section)
