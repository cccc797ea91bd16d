"""`close` releases everything, in time; a fork leaves both sides working."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest

from event_brokers.testing import contract, events
from event_brokers.testing.answers import Answers
from event_brokers.testing.arrivals import missing
from event_brokers.testing.check import check
from event_brokers.testing.checks.connecting import WRONG_PASSWORD, nobody
from event_brokers.testing.checks.delivery import arrivals_of
from event_brokers.testing.child_process import Ended, run_child
from event_brokers.testing.contract import Line, fail, hold
from event_brokers.testing.hook_thread import DoesNotReturn
from event_brokers.testing.report import NOT_PROVEN
from event_brokers.testing.subject import Connected

_CYCLES = 100
_FAILURES = 10


class ClosingChecks(Answers):
    """`close` releases everything."""

    @check()
    def test_closing_again_does_nothing(self) -> None:
        """A connection that is closed can be closed once more."""
        connected = self.subject.connect(self.options())
        connected.publish(events.numbered(1))
        connected.close()
        try:
            connected.close()
        except DoesNotReturn as error:
            fail(f"'close' of what is closed {error}", contract.CLOSING_AGAIN)
        except Exception as error:  # noqa: BLE001 - that is what is checked
            fail(f"'close' of what is closed raised {type(error).__name__}", contract.CLOSING_AGAIN)

    @check()
    def test_a_connection_that_was_not_used_closes(self) -> None:
        """A connection through which nothing was published is closed in time."""
        connected = self.subject.connect(self.options())
        try:
            connected.close()
        except DoesNotReturn as error:
            fail(f"'close' {error}", contract.RELEASED)

    @check("break_server", "mend_server", is_slow=True)
    def test_a_connection_closes_after_a_failure(self) -> None:
        """When `publish` has failed, for the server was killed, `close` ends in time."""
        connected = self.subject.connect(self.options())
        connected.publish(events.numbered(1))
        self.break_server()
        try:
            self._publish_in_vain(connected)
            connected.close()
        except DoesNotReturn as error:
            fail(f"with a server that was killed, a hook {error}", contract.CLOSE_IS_BOUNDED)
        except Exception:  # noqa: BLE001 - what `close` raises is forgotten
            return
        finally:
            self.mend_server()

    @check()
    def test_connections_leave_nothing_behind(self) -> None:
        """A hundred connections, one after the other, leave no thread, socket or file."""
        ended = run_child(
            self,
            "cycle",
            self.options(),
            10 * self.hook_seconds,
            events.numbered(1),
            cycles=_CYCLES,
        )
        self._hold_that_nothing_is_left(ended, f"{_CYCLES} connections", contract.RELEASED)

    @check("at")
    def test_failed_connects_leave_nothing_behind(self) -> None:
        """A connect that fails leaves no thread, socket or file."""
        with nobody() as port:
            self._hold_that_failing_leaves_nothing(self.at(port), "connects that failed")

    @check("with_password")
    def test_refused_connects_leave_nothing_behind(self) -> None:
        """A connect that the server refuses leaves no thread, socket or file."""
        refused = self.with_password(WRONG_PASSWORD)
        self._hold_that_failing_leaves_nothing(refused, "connects with a wrong password")

    @check()
    def test_both_sides_of_a_fork_publish(self) -> None:
        """Parent and child of a fork publish, each through a connection of its own."""
        if not hasattr(os, "fork"):
            pytest.skip(f"{NOT_PROVEN}a fork of this system")
        published = events.numbered(3)
        ended = run_child(
            self, "fork", self.options(), 5 * self.hook_seconds, published,
            flush_seconds=self.hook_seconds,
        )  # fmt: skip
        hold(
            ended.code == 0 and ended.found is not None,
            f"a process that forks ended with {ended.code}: {ended.error}",
            contract.FORKED_CHILD,
        )
        found = ended.found
        hold(
            found["before"] == found["in the child"] == found["after"] == 0,
            f"after a fork events still wait: in the child {found['in the child']}, in the parent "
            f"{found['after']}, {found['last error']}",
            contract.FORKED_CHILD,
        )
        lost = missing(published, arrivals_of(self, published))
        hold(not lost, f"{len(lost)} events are lost through a fork", contract.FORKED_CHILD)

    @staticmethod
    def _publish_in_vain(connected: Connected) -> None:
        try:
            connected.publish(events.numbered(1))
        except DoesNotReturn:
            raise
        except Exception:  # noqa: BLE001 - that is how it should be, and checked elsewhere
            return

    def _hold_that_failing_leaves_nothing(self, options: Mapping[str, Any], what: str) -> None:
        seconds = _FAILURES * self.hook_seconds
        ended = run_child(self, "fail to connect", options, seconds, cycles=_FAILURES)
        self._hold_that_nothing_is_left(ended, f"{_FAILURES} {what}", contract.LEAVES_NOTHING)

    @staticmethod
    def _hold_that_nothing_is_left(ended: Ended, after: str, line: Line) -> None:
        hold(
            ended.code == 0 and ended.found is not None,
            f"a process that makes {after} ended with {ended.code}: {ended.error}",
            line,
        )
        for kind, count in ended.found.items():
            hold(count <= 0, f"{after} leave {count} {kind} behind", line)
