"""From `endpoints.yml` to settings: which plugin, its options, and how events wait.

Public for commands of other distributions: `read`, `settings_for`, `read_options` and `Settings`;
and of `section`, for sections of their own, `Section`, `from_file`, `from_file_if_there` and
`EVENT_BROKER`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from event_brokers import other_loaders, plugins
from event_brokers import section as sections
from event_brokers.delivery_options import MAX_PENDING, DeliveryOptions
from event_brokers.errors import ConfigurationError
from event_brokers.option_reader import OptionReader, shown
from event_brokers.options import Options
from event_brokers.plugins import Plugin
from event_brokers.section import DEFAULT_TYPE, Section
from event_brokers.settings import Settings

__all__ = [
    "MAX_PENDING",
    "DeliveryOptions",
    "Settings",
    "read",
    "read_options",
    "settings_for",
    "settings_from",
]

_OLDER_TYPE_KEY = "store_type"

_OptionsClass = TypeVar("_OptionsClass", bound=Options)


def read(source: str | os.PathLike[str] | Mapping[str, Any]) -> Settings:
    """Return the settings that an `endpoints.yml`, or its section as a mapping, stands for.

    Parameters:
        source: the file's path, or a mapping that is the `event_broker` section itself.

    Raises:
        ConfigurationError: one sentence that names file, line, option and the way out.
    """
    if isinstance(source, Mapping):
        return settings_from(sections.from_mapping(source))
    return settings_from(sections.from_file(source))


def settings_for(type_name: str, options: Mapping[str, Any]) -> Settings:
    """Return the settings for options given in Python, taken to the letter.

    Parameters:
        type_name: the type, such as "pika".
        options: option -> value; None means not given; may hold `delivery`.

    Raises:
        ConfigurationError: as for `read`.
    """
    return settings_from(sections.from_literals({**options, "type": type_name}))


def read_options(
    section: Section, options_class: type[_OptionsClass], own: Sequence[str] = ("type",)
) -> _OptionsClass:
    """Return the options of one class that a section gives.

    Parameters:
        section: of `endpoints.yml`, or of a mapping.
        options_class: names the options and their types.
        own: keys of the section that are none of its options.

    Raises:
        ConfigurationError: one sentence that names file, line, option and the way out.
    """
    given = {name: value for name, value in section.values.items() if name not in own}
    return OptionReader(options_class, section).read(given)


def settings_from(written: Section) -> Settings:
    """Return the settings that a section stands for.

    Raises:
        ConfigurationError: as for `read`.
    """
    section = other_loaders.as_ours(_with_type(written))
    plugin = _plugin(section)
    delivery = section.values.get("delivery") or {}
    if not isinstance(delivery, Mapping):
        raise section.error("must hold options, such as max_pending: 1000", "delivery")
    return Settings(
        plugin=plugin,
        options=_plugin_options(plugin, section),
        delivery=OptionReader(DeliveryOptions, section, ("delivery",)).read(delivery),
    )


def _with_type(section: Section) -> Section:
    """Return the section with its type under `type`: loaders know it by an older name, too."""
    other = section.values.get(_OLDER_TYPE_KEY)
    values = {name: value for name, value in section.values.items() if name != _OLDER_TYPE_KEY}
    if not other:
        return msgspec.structs.replace(section, values=values)
    if values.get("type"):
        raise section.error("says the same as 'type'; give one of them", _OLDER_TYPE_KEY)
    values["type"] = other
    return msgspec.structs.replace(section, values=values, type_key=_OLDER_TYPE_KEY)


def _plugin_options(plugin: Plugin, section: Section) -> Any:
    own = ("type", "delivery")
    if plugin.options_class is None:
        return {name: value for name, value in section.values.items() if name not in own}
    return read_options(section, plugin.options_class, own)


def _plugin(section: Section) -> Plugin:
    type_name = section.values.get("type") or DEFAULT_TYPE
    if not isinstance(type_name, str):
        raise section.error(f"{shown(type_name)} is not text", section.type_key)
    try:
        return plugins.load(type_name)
    except ConfigurationError as error:
        raise type(error)(f"{section.where(section.type_key)}: {error}") from error.__cause__
