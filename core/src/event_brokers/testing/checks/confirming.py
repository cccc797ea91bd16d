"""When `publish` returns, the broker has the events; when it raises, it says the truth."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any

from event_brokers.errors import BrokerUnavailable, ConfigurationError, PublishError, RejectedEvents
from event_brokers.event import Event
from event_brokers.hookspecs import hookimpl
from event_brokers.plugins import Plugin
from event_brokers.testing import contract, events
from event_brokers.testing.answers import Answers
from event_brokers.testing.arrivals import find, first_occurrences, missing
from event_brokers.testing.check import check
from event_brokers.testing.checks.delivery import arrivals_of
from event_brokers.testing.child_process import run_child
from event_brokers.testing.contract import fail, hold
from event_brokers.testing.hook_thread import DoesNotReturn

_EVENTS_PER_TURN = 10


class ConfirmingChecks(Answers):
    """When `publish` returns, the broker has the events."""

    @check()
    def test_what_publish_returned_from_is_there(self) -> None:
        """Another client reads every event at once after `publish` has returned."""
        published = events.numbered(100)
        connected = self.subject.connect(self.options())
        connected.publish(published)
        lost = missing(published, find(published, self.arrived()))
        hold(
            not lost,
            f"{len(lost)} of {len(published)} events were not there when 'publish' returned",
            contract.CONFIRMED,
        )

    @check()
    def test_what_publish_returned_from_survives_a_kill(self) -> None:
        """Every event is there although the process was killed when `publish` had returned."""
        published = events.numbered(100)
        ended = run_child(
            self, "publish and be killed", self.options(), 2 * self.hook_seconds, published
        )
        hold(
            ended.code == -signal.SIGKILL,
            f"a process that publishes a batch ended with {ended.code}: {ended.error}",
            contract.CONFIRMED,
        )
        lost = missing(published, find(published, self.arrived()))
        hold(
            not lost,
            f"{len(lost)} of {len(published)} events died with the process that had published them",
            contract.CONFIRMED,
        )

    @check()
    def test_order_is_kept_when_batches_are_sent_again(self) -> None:
        """Batches that fail when they have arrived come again, and overtake nothing."""
        published = events.numbered(4 * _EVENTS_PER_TURN)
        stumbling = Plugin(
            self.subject.plugin.type,
            self.subject.plugin.distribution,
            Stumbling(self.subject.plugin),
        )
        broker = self.subject.broker(self.options(), stumbling)
        for first in range(0, len(published), _EVENTS_PER_TURN):
            broker.accept(published[first : first + _EVENTS_PER_TURN])
            if broker.flush(self.hook_seconds).pending:
                break
        status = broker.status()
        hold(
            status.pending == 0,
            f"{status.pending} events are not delivered after a failure: {status.last_error}",
            contract.TRIED_AGAIN,
        )
        found = arrivals_of(self, published)
        hold(
            first_occurrences(found) == [event.id for event in published],
            "events that were sent again have arrived in another order, or not at all",
            contract.IN_ORDER,
        )

    @check("refused_event")
    def test_a_partial_failure_names_what_was_confirmed(self) -> None:
        """What `publish` raises over one event of a batch says nothing untrue of the others."""
        batch, refused = self._batch_with_a_refused_event()
        connected = self.subject.connect(self.options())
        try:
            connected.publish(batch)
        except DoesNotReturn as error:
            fail(f"'publish' of an event that the server refuses {error}", contract.BOUNDED)
        except Exception as error:  # noqa: BLE001 - looked at below
            raised = error
        else:
            fail(
                "'publish' returned, although the server refuses one of the events",
                contract.CONFIRMED,
            )
        confirmed: frozenset[str] = getattr(raised, "confirmed", frozenset())
        claimed = [event for event in batch if event.id in confirmed]
        absent = missing(claimed, arrivals_of(self, claimed))
        hold(
            not absent,
            f"{type(raised).__name__} names {len(absent)} events as confirmed that are not there",
            contract.NAMES_CONFIRMED,
        )
        self._hold_that_reasons_are_true(raised, batch, refused)

    @check("refused_event")
    def test_a_refused_event_is_a_dead_letter_and_the_others_arrive(self) -> None:
        """An event that the server refuses is buried alone; those around it are delivered."""
        batch, refused = self._batch_with_a_refused_event()
        broker = self.subject.broker(self.options())
        broker.accept(batch)
        status = broker.flush(self.hook_seconds)
        buried = [letter.event.id for letter in broker.dead_letters()]
        hold(
            status.pending == 0,
            f"{status.pending} events still wait behind one that the server refuses: "
            f"{status.last_error}",
            contract.REJECTED,
        )
        hold(
            buried == [refused.id],
            f"{len(buried)} events were buried where the server refuses one",
            contract.REJECTED,
        )
        others = [event for event in batch if event is not refused]
        found = arrivals_of(self, others)
        hold(
            first_occurrences(found) == [event.id for event in others],
            "the events around one that is refused have not arrived in order",
            contract.REJECTED,
        )

    def _batch_with_a_refused_event(self) -> tuple[list[Event], Event]:
        """Return a batch, and the event in its midst that the server does not take."""
        refused = Event.from_dict(self.refused_event())
        good = events.numbered(8)
        return [*good[:4], refused, *good[4:]], refused

    @staticmethod
    def _hold_that_reasons_are_true(
        raised: BaseException, batch: Sequence[Event], refused: Event
    ) -> None:
        if isinstance(raised, RejectedEvents):
            wrong = [
                event for event in batch if event.id in raised.reasons and event is not refused
            ]
            hold(
                not wrong,
                f"RejectedEvents names {len(wrong)} events that the server would have taken",
                contract.REJECTED,
            )
        hold(
            not isinstance(raised, ConfigurationError),
            "ConfigurationError was raised for one event, and holds up all that follow",
            contract.A_PERSON,
        )
        hold(
            refused.id not in getattr(raised, "confirmed", ()),
            "the refused event is named as confirmed",
            contract.NAMES_CONFIRMED,
        )


class Stumbling:
    """A plugin whose `publish` fails every other time, when the broker has the events.

    Parameters:
        plugin: which does the work.
    """

    def __init__(self, plugin: Plugin) -> None:
        self._hook = plugin.hook
        self._turns = 0

    @hookimpl
    def connect(self, options: Any, used: set[str]) -> Any:
        """Connect by the plugin."""
        return self._hook.connect(options=options, used=used)

    @hookimpl
    def publish(self, connection: Any, events: Sequence[Event]) -> None:
        """Publish by the plugin, and lose the connection every other time.

        Raises:
            PublishError: every other time.
        """
        self._hook.publish(connection=connection, events=events)
        self._turns += 1
        if self._turns % 2:
            raise self._failure()

    @hookimpl
    def close(self, connection: Any) -> None:
        """Close by the plugin."""
        self._hook.close(connection=connection)

    @staticmethod
    def _failure() -> PublishError:
        return BrokerUnavailable("the connection was lost when the events had arrived")
