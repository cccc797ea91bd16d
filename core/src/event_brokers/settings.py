"""Settings, what an EventBroker is made of: its plugin, the options, and how events wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from event_brokers.delivery_options import DeliveryOptions
from event_brokers.options import Options
from event_brokers.plugins import Plugin
from event_brokers.secret import Secret, secrets_in


class Settings(msgspec.Struct, frozen=True):
    """What an EventBroker is made of.

    Attributes:
        plugin: the plugin that serves the type.
        options: an instance of the plugin's options class, or a dict where it has none.
        delivery: how events wait, the same for every type.
    """

    plugin: Plugin
    options: Any
    delivery: DeliveryOptions

    def secrets(self) -> list[str]:
        """Return every text of the options that must never be shown."""
        given = self.options
        # an option of a class is a secret by its type, one without a class by its name
        values = _by_name(given).values() if isinstance(given, Options) else [given]
        return list(dict.fromkeys(text for value in values for text in secrets_in(value)))

    def place(self) -> str:
        """Return where events go: "type kafka, url localhost:9092, topic events".

        Made of the type and the options that the options class names as its place; the type
        alone where it names none. A secret is never part of it.
        """
        parts = [f"type {self.plugin.type}"]
        if isinstance(self.options, Options):
            given = _by_name(self.options)
            named = ((name, given[name]) for name in type(self.options).place)
            parts += [f"{name} {_shown(value)}" for name, value in named if value is not None]
        return ", ".join(parts)

    def __repr__(self) -> str:
        # options without a class of their own may hold a password under any name
        return f"Settings({self.place()})"


def _by_name(options: Options) -> Mapping[str, Any]:
    """Return the options by the names that stand in YAML."""
    fields = msgspec.structs.fields(options)
    return {field.encode_name: getattr(options, field.name) for field in fields}


def _shown(value: Any) -> str:
    if isinstance(value, Secret):
        return value.hidden()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(_shown(item) for item in value)
    return str(value)
