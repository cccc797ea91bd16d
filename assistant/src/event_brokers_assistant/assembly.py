"""From `endpoints.yml` and a model to an agent that streams."""

from __future__ import annotations

from dataclasses import dataclass, field

from event_brokers import EventBroker, endpoints, section
from event_brokers.cli.open_spool import counts
from event_brokers.cli.outcome import Outcome
from event_brokers.endpoints import Settings
from event_brokers.section import EVENT_BROKER
from event_brokers_assistant.agent import Agent
from event_brokers_assistant.model import Model
from event_brokers_assistant.store_settings import StoreSettings

TRACKER_STORE = "tracker_store"


@dataclass(frozen=True)
class EndpointSettings:
    """What an endpoints.yml says for an assistant.

    Attributes:
        broker: of the section `event_broker`; None where there is none.
        tracker_store: of the section `tracker_store`; in memory where there is none.
    """

    broker: Settings | None = None
    tracker_store: StoreSettings = field(default_factory=StoreSettings)

    def secrets(self) -> list[str]:
        """Return every text that must never be shown."""
        of_broker = self.broker.secrets() if self.broker else []
        return of_broker + self.tracker_store.secrets()


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
    store = section.from_file_if_there(file, TRACKER_STORE)
    return EndpointSettings(
        endpoints.read(file) if there else None,
        StoreSettings.read(store) if store else StoreSettings(),
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
    before = counts(settings.broker)
    broker = EventBroker(settings.broker) if settings.broker else None
    try:
        store, name = settings.tracker_store.open(broker)
    except BaseException:
        if broker:
            broker.close(timeout=0)
        raise
    outcome = Outcome(broker, before) if broker else None
    spool = settings.broker.delivery.spool if settings.broker else None
    return Assistant(Agent(model, store), broker, outcome, name, spool)
