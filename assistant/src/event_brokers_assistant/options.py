"""The options of the section `tracker_store` that need no database."""

from __future__ import annotations

from event_brokers import Options


class InMemoryTrackerStoreOptions(Options, frozen=True, kw_only=True):
    """The options of `type: InMemory`, which has none."""
