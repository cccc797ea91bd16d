"""From `endpoints.yml` and a model to an agent that streams."""

from __future__ import annotations

from dataclasses import dataclass

from event_brokers import ConfigurationError, EventBroker, endpoints, section
from event_brokers.cli.open_spool import NOTHING, counts
from event_brokers.cli.outcome import Outcome
from event_brokers.endpoints import Settings
from event_brokers.section import EVENT_BROKER, Section
from event_brokers_assistant.agent import Agent
from event_brokers_assistant.model import Model
from event_brokers_assistant.options import InMemoryTrackerStoreOptions, SQLTrackerStoreOptions
from event_brokers_assistant.sql_store import SQLTrackerStore
from event_brokers_assistant.stores import InMemoryTrackerStore, TrackerStore

TRACKER_STORE = "tracker_store"
_SQL = ("sql", "sqltrackerstore")
_IN_MEMORY = ("inmemory", "in_memory", "inmemorytrackerstore")


@dataclass(frozen=True)
class EndpointSettings:
    """What an endpoints.yml says for an assistant.

    Attributes:
        broker: of the section `event_broker`; None where there is none.
        tracker_store: the section `tracker_store`; None where there is none.
    """

    broker: Settings | None
    tracker_store: Section | None

    def secrets(self) -> list[str]:
        """Return every text that must never be shown."""
        own = self.broker.secrets() if self.broker else []
        values = self.tracker_store.values if self.tracker_store else {}
        return [*own, str(values["password"])] if values.get("password") else own


@dataclass(frozen=True)
class Assistant:
    """An agent, and what it stands on.

    Attributes:
        agent: answers.
        broker: gets the events; None where nothing is streamed.
        outcome: counts what leaves the broker; None without one.
        store_name: where conversations are kept, in words.
        spool: the folder in which events wait; None where they wait in memory.
    """

    agent: Agent
    broker: EventBroker | None
    outcome: Outcome | None
    store_name: str
    spool: str | None = None

    def close(self, timeout: float) -> None:
        """Stream what is due, deliver what waits, and release everything.

        Parameters:
            timeout: seconds to wait for delivery.
        """
        store = self.agent.tracker_store
        store.stream_due()
        if self.broker and self.outcome:
            self.broker.flush(timeout)
            self.outcome.settle()
        store.close()


def read(file: str) -> EndpointSettings:
    """Return what an endpoints.yml says for an assistant; both sections may be missing.

    Parameters:
        file: its path.

    Raises:
        ConfigurationError: one sentence that names file, line, option and the way out.
    """
    there = section.from_file_if_there(file, EVENT_BROKER) is not None
    return EndpointSettings(
        endpoints.read(file) if there else None, section.from_file_if_there(file, TRACKER_STORE)
    )


def assemble(settings: EndpointSettings, model: Model | None) -> Assistant:
    """Return an assistant that is ready; its broker connects in the background.

    Parameters:
        settings: of endpoints.yml.
        model: answers; an echo bot if None.

    Raises:
        ConfigurationError: an option of the tracker store is wrong.
        TrackerStoreError: the database of the conversations cannot be used now.
    """
    before = counts(settings.broker) if settings.broker else NOTHING
    broker = EventBroker(settings.broker) if settings.broker else None
    try:
        store, name = _store(settings.tracker_store, broker)
    except BaseException:
        if broker:
            broker.close(timeout=0)
        raise
    outcome = Outcome(broker, before) if broker else None
    spool = settings.broker.delivery.spool if settings.broker else None
    return Assistant(Agent(model, store), broker, outcome, name, spool)


def _store(given: Section | None, broker: EventBroker | None) -> tuple[TrackerStore, str]:
    if given is None:
        return InMemoryTrackerStore(event_broker=broker), "in memory"
    kind = given.values.get("type")
    if not isinstance(kind, str):
        raise given.error("missing; give SQL or InMemory, or leave the section out", "type")
    if kind.casefold() in _IN_MEMORY:
        endpoints.read_options(given, InMemoryTrackerStoreOptions)
        return InMemoryTrackerStore(event_broker=broker), "in memory"
    if kind.casefold() not in _SQL:
        raise given.error(
            f"'{kind}' is not served; give SQL or InMemory, or leave the section out", "type"
        )
    return _sql_store(endpoints.read_options(given, SQLTrackerStoreOptions), broker, given)


def _sql_store(
    options: SQLTrackerStoreOptions, broker: EventBroker | None, given: Section
) -> tuple[TrackerStore, str]:
    try:
        store = SQLTrackerStore(
            dialect=options.dialect,
            host=options.url.reveal() if options.url else None,
            port=options.port,
            db=options.db,
            username=options.username,
            password=options.password.reveal() if options.password else None,
            query=options.query,
            event_broker=broker,
        )
    except ConfigurationError as error:
        raise ConfigurationError(f"{given.file}: {error}") from error.__cause__
    return store, f"in {store.place}"
