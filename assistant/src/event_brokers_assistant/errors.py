"""The errors that the assistant adds to those of the core, one sentence each."""

from __future__ import annotations

from event_brokers import EventBrokersError

WITHOUT_SQL = 'needs event-brokers-sql; pip install "event-brokers-assistant[sql]"'


class ModelError(EventBrokersError):
    """The model cannot be loaded, failed, or answered with something that is no answer."""


class TrackerStoreError(EventBrokersError):
    """The database of the conversations cannot be used now."""
