"""Finds the plugin that is checked, installed or not, and makes the settings of a broker of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import importlib_metadata

from event_brokers import endpoints, plugins, section
from event_brokers.delivery_options import DeliveryOptions
from event_brokers.plugins import Plugin
from event_brokers.settings import Settings

NOT_INSTALLED = "a plugin that is not installed"


def load_plugin(type_name: str, entry_point: str | None) -> Plugin:
    """Return the plugin.

    Parameters:
        type_name: the type it serves.
        entry_point: "module" or "module:object" where it is not installed.

    Raises:
        ConfigurationError: none serves the type, or it cannot be used.
        Exception: what importing it raises.
    """
    if entry_point is None:
        return plugins.load(type_name)
    entry = importlib_metadata.EntryPoint(type_name, entry_point, plugins.GROUP)
    return Plugin(type_name.casefold(), NOT_INSTALLED, entry.load())


def make_settings(plugin: Plugin, options: Mapping[str, Any], **delivery: Any) -> Settings:
    """Return the settings of an EventBroker.

    Parameters:
        plugin: which delivers.
        options: as they stand under `event_broker`, without `type`.
        delivery: options of the section `delivery`.

    Raises:
        ConfigurationError: the options are wrong.
    """
    written = section.from_mapping({**options, "type": plugin.type})
    own = ("type", "delivery")
    if plugin.options_class is None:
        read: Any = {name: value for name, value in written.values.items() if name not in own}
    else:
        read = endpoints.read_options(written, plugin.options_class, own)
    return Settings(plugin, read, DeliveryOptions(**delivery))
