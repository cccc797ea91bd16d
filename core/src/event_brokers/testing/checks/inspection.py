"""The hook `check` looks, says where it has looked, and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from event_brokers.testing import contract, events
from event_brokers.testing.answers import Answers
from event_brokers.testing.check import check
from event_brokers.testing.checks.connecting import hold_that_it_raises, nobody
from event_brokers.testing.checks.delivery import await_all, publish
from event_brokers.testing.contract import hold

_SHORTEST = 2  # characters of what names a place


class InspectionChecks(Answers):
    """The hook `check` looks and changes nothing."""

    @check(hooks=("check",))
    def test_looking_says_where_it_connected(self) -> None:
        """`check` returns sentences, and one of them names the host, the port or the file."""
        publish(self, events.numbered(1))
        said = self.subject.check(self.options())
        hold(
            isinstance(said, Sequence)
            and not isinstance(said, str)
            and bool(said)
            and all(isinstance(each, str) and each.strip() for each in said),
            "'check' returned something else than a sequence of sentences",
            contract.CHECK_LOOKS,
        )
        hold(
            any(word in sentence for sentence in said for word in _places(self.options())),
            "'check' names no place that stands in the options",
            contract.CHECK_SAYS_WHERE,
        )

    @check(hooks=("check",))
    def test_looking_changes_nothing(self) -> None:
        """After `check` there is in the place what was there before."""
        published = events.numbered(3)
        publish(self, published)
        await_all(self, published)
        before = list(self.arrived())
        self.subject.check(self.options())
        hold(
            list(self.arrived()) == before,
            "after 'check' another thing is in the place than before",
            contract.CHECK_LOOKS,
        )

    @check("place_exists", hooks=("check",))
    def test_looking_makes_no_place(self) -> None:
        """A queue, topic, table or file that is missing is missing after `check`."""
        self.subject.check(self.options())
        hold(not self.place_exists(), "'check' has made the place", contract.CHECK_LOOKS)

    @check("place_exists")
    def test_connecting_makes_the_place(self) -> None:
        """A queue, topic, table or file that is missing is there after the first event."""
        publish(self, events.numbered(1))
        hold(
            self.place_exists(),
            "the place is missing after an event was published",
            contract.PLACES_ARE_MADE,
        )

    @check("at", hooks=("check",))
    def test_looking_where_nobody_is_fails(self) -> None:
        """Where nobody listens, `check` raises."""
        with nobody() as port:
            options = self.at(port)
            hold_that_it_raises(
                lambda: self.subject.check(options),
                "check",
                "a port where nobody listens",
                contract.CHECK_RAISES,
            )


def _places(options: Mapping[str, Any]) -> list[str]:
    texts = (str(value) for value in options.values() if isinstance(value, (str, int)))
    return [text for text in texts if len(text) >= _SHORTEST]
