"""Broken in `consume`: acknowledgements, groups, turns."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Generator
from typing import Any, ClassVar

from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
)
from event_brokers.plugin import ReceivedEvent
from testing.broken import broken
from testing.ledger import Ledger, closing_session

Received = Generator[ReceivedEvent | None, None, None]


@broken(
    "test_what_is_in_hand_comes_again", also=("test_what_was_acknowledged_does_not_come_again",)
)
class AcknowledgesTooEarly(Ledger):
    """Acknowledges an event before anybody has worked on it."""

    def take_turns(self, session: Any, group: str) -> Received:
        while True:
            answer = yield from self.wait(session, "lease", group=group)
            session.ask("acknowledge", group=group, position=answer["position"])
            yield self.received(answer)


@broken(
    "test_what_was_acknowledged_does_not_come_again", also=("test_what_is_in_hand_comes_again",)
)
class NeverAcknowledges(Ledger):
    """Leaves to the server how far a group has come."""

    def take_turns(self, session: Any, group: str) -> Received:
        while True:
            answer = yield from self.wait(session, "lease", group=group)
            yield self.received(answer)


@broken(
    "test_what_is_in_hand_comes_again", also=("test_what_was_acknowledged_does_not_come_again",)
)
class AcknowledgesAsItIsClosed(Ledger):
    """Tidies up too well."""

    def take_turns(self, session: Any, group: str) -> Received:
        while True:
            answer = yield from self.wait(session, "lease", group=group)
            try:
                yield self.received(answer)
            finally:
                session.ask("acknowledge", group=group, position=answer["position"])


@broken(
    "test_turns_are_given_while_nothing_arrives",
    "test_a_consumer_is_closed_from_another_thread",
    also=(
        "test_each_group_gets_every_event",
        "test_consumers_of_one_group_share_the_events",
        "test_a_new_group_begins_with_what_is_new",
        "test_looking_on_leaves_no_trace",
        "test_what_is_in_hand_comes_again",
        "test_what_was_acknowledged_does_not_come_again",
        "test_consuming_goes_on_after_the_server_was_killed",
    ),
)
class GivesNoTurns(Ledger):
    """Comes back when there is an event, and not before."""

    def wait(self, session: Any, do: str, **request: Any) -> Generator[None, None, Any]:
        while not (answer := session.ask(do, **request))["ok"]:
            time.sleep(0.01)
        yield from ()
        return answer


@broken("test_each_group_gets_every_event", also=("test_looking_on_leaves_no_trace",))
class HasOneGroupForAll(Ledger):
    """Does not know of groups."""

    def receive(self, options: Any, group: str | None, from_start: bool) -> Received:
        return super().receive(options, None if group is None else "all", from_start)


@broken("test_consumers_of_one_group_share_the_events")
class GivesEachConsumerEverything(Ledger):
    """Leases to nobody: two consumers of one group receive the same events."""

    _positions: ClassVar[dict[tuple[int, str, str], int]] = {}

    def take_turns(self, session: Any, group: str) -> Received:
        key = (session.options.port, session.options.ledger, group)
        position = self._positions.setdefault(key, 0)
        if position == 0:
            begun = session.ask("lease", group=group)
            position = begun["position"] if begun["ok"] else session.ask("length")["length"]
        while True:
            answer = yield from self.wait(session, "look", position=position)
            yield self.received(answer)
            position += 1
            self._positions[key] = position


@broken("test_a_new_group_begins_with_what_is_new")
class AlwaysBeginsAtTheStart(Ledger):
    """Does not look at `from_start`, and shows everything."""

    def take_turns(self, session: Any, group: str) -> Received:
        session.ask("join", group=f"{group}-all", from_start=True)
        return super().take_turns(session, f"{group}-all")


@broken(
    "test_a_new_group_begins_with_the_oldest_event",
    also=("test_a_consumer_is_closed_from_another_thread",),
)
class AlwaysBeginsAtTheEnd(Ledger):
    """Does not look at `from_start`, and shows what is new."""

    def receive(self, options: Any, group: str | None, from_start: bool) -> Received:
        del from_start
        # the group begins when it is asked for, as with a client that subscribes at once
        with closing_session(self.open(options)) as session:
            if group is not None:
                session.ask("join", group=group, from_start=False)
        return super().receive(options, group, from_start=False)


@broken("test_looking_on_leaves_no_trace")
class TakesAsItLooksOn(Ledger):
    """Without a group it takes from the first group that there is."""

    def look_on(self, session: Any, from_start: bool) -> Received:
        del from_start
        group = f"{session.options.ledger}-one"
        session.ask("join", group=group, from_start=True)
        return self.take_turns(session, group)


@broken("test_a_body_that_is_no_json_is_received")
class StumblesOverWhatIsNoJson(Ledger):
    """Reads every body as JSON."""

    def received(self, answer: Any) -> ReceivedEvent:
        json.loads(base64.b64decode(answer["body"]))
        return super().received(answer)


@broken("test_consuming_goes_on_after_the_server_was_killed")
class EndsWhenTheServerDoes(Ledger):
    """Takes a lost connection for the end, which a person has to look at."""

    def take_turns(self, session: Any, group: str) -> Received:
        try:
            yield from super().take_turns(session, group)
        except (OSError, BrokerUnavailable) as error:
            raise ConfigurationError("event_broker.port: the server has gone") from error
