"""From the section `tracker_store` of endpoints.yml to the store that it asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType

from event_brokers import ConfigurationError, EventBroker, Options, endpoints
from event_brokers.secret import secrets_in
from event_brokers.section import Section
from event_brokers_assistant.errors import WITHOUT_SQL
from event_brokers_assistant.options import InMemoryTrackerStoreOptions
from event_brokers_assistant.stores import InMemoryTrackerStore, TrackerStore

_SQL = ("sql", "sqltrackerstore")
_IN_MEMORY = ("inmemory", "in_memory", "inmemorytrackerstore")


@dataclass(frozen=True)
class StoreSettings:
    """What the section says.

    Attributes:
        options: of its type.
        file: it was read from; empty where there is no section.
    """

    options: Options = field(default_factory=InMemoryTrackerStoreOptions)
    file: str = ""

    @classmethod
    def read(cls, section: Section) -> StoreSettings:
        """Return what a section says.

        Parameters:
            section: `tracker_store`.

        Raises:
            ConfigurationError: an option is wrong, or what the type needs is not installed.
        """
        kind = section.values.get("type")
        if not isinstance(kind, str):
            raise section.error("missing; give SQL or InMemory, or leave the section out", "type")
        if kind.casefold() in _IN_MEMORY:
            options = endpoints.read_options(section, InMemoryTrackerStoreOptions)
            return cls(options, section.file)
        if kind.casefold() not in _SQL:
            raise section.error(
                f"'{kind}' is not served; give SQL or InMemory, or leave the section out", "type"
            )
        try:
            options_class = _sql_store().SQLTrackerStoreOptions
        except ModuleNotFoundError as error:
            raise section.error(WITHOUT_SQL, "type") from error
        return cls(endpoints.read_options(section, options_class), section.file)

    def secrets(self) -> list[str]:
        """Return every text of the options that must never be shown."""
        values = [getattr(self.options, name) for name in self.options.__struct_fields__]
        return [text for value in values for text in secrets_in(value)]

    def open(self, broker: EventBroker | None) -> tuple[TrackerStore, str]:
        """Return the store, and in words where it keeps conversations.

        Parameters:
            broker: gets every event that is saved; None streams nothing.

        Raises:
            ConfigurationError: an option is wrong.
            TrackerStoreError: the database of the conversations cannot be used now.
        """
        if isinstance(self.options, InMemoryTrackerStoreOptions):
            return InMemoryTrackerStore(event_broker=broker), "in memory"
        try:
            store = _sql_store().SQLTrackerStore(options=self.options, event_broker=broker)
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.file}: {error}") from error.__cause__
        return store, f"in {store.place}"


def _sql_store() -> ModuleType:
    # whoever keeps conversations in memory needs neither it nor SQLAlchemy
    return import_module("event_brokers_assistant.sql_store")
