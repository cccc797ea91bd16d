"""Broken in `publish`: what arrives, when, and what is said of it."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Sequence
from typing import Any

from event_brokers import (
    ConfigurationError,
    Event,
    RejectedEvents,
)
from event_brokers.plugin import logger
from testing.broken import NO_CONFIRM, ORDER, RECOVERY, UNHEARD_FAILURE, broken
from testing.ledger import Ledger


@broken("test_batches_arrive_in_order", also=(*NO_CONFIRM, *RECOVERY))
class DropsTheEndOfALargeBatch(Ledger):
    """Sends at most fifty events, and forgets the others."""

    def send(self, session: Any, events: Sequence[Event]) -> None:
        super().send(session, events[:50])


@broken(*NO_CONFIRM, also=(*UNHEARD_FAILURE, *ORDER, "test_both_sides_of_a_fork_publish"))
class ReturnsBeforeTheConfirm(Ledger):
    """Sends on a thread of its own, a little later."""

    def send(self, session: Any, events: Sequence[Event]) -> None:
        sending = threading.Timer(0.2, self._send, (session, list(events)))
        session.sending = [*getattr(session, "sending", ()), sending]
        sending.start()

    def release(self, session: Any) -> None:
        for sending in getattr(session, "sending", ()):
            sending.join()
        super().release(session)

    def _send(self, session: Any, events: Sequence[Event]) -> None:
        try:
            super().send(session, events)
        except Exception:  # noqa: BLE001 - that is what is wrong with it
            return


@broken(
    "test_what_publish_returned_from_is_there",
    also=(
        *NO_CONFIRM,
        *UNHEARD_FAILURE,
        "test_batches_of_one_connection_arrive_in_order",
        "test_several_connections_work_side_by_side",
        "test_delivery_goes_on_once_the_password_is_right",
        "test_both_sides_of_a_fork_publish",
    ),
)
class KeepsABatchUntilTheNext(Ledger):
    """Sends each batch when the next one comes, or at the end."""

    def send(self, session: Any, events: Sequence[Event]) -> None:
        kept, session.kept = getattr(session, "kept", []), list(events)
        if kept:
            super().send(session, kept)

    def release(self, session: Any) -> None:
        if kept := getattr(session, "kept", []):
            super().send(session, kept)
            session.kept = []
        super().release(session)


@broken(
    "test_bodies_arrive_byte_for_byte",
    also=("test_what_was_published_is_received", "test_the_largest_batch_arrives"),
)
class WritesTheBodyAnew(Ledger):
    """Reads the JSON and writes it with sorted keys."""

    def record(self, event: Event) -> tuple[str, str, dict[str, str]]:
        body = json.dumps(json.loads(event.body), sort_keys=True).encode()
        return event.id, base64.b64encode(body).decode(), event.headers


@broken(
    "test_bodies_arrive_byte_for_byte",
    also=("test_what_was_published_is_received", "test_the_largest_batch_arrives"),
)
class LosesUnicode(Ledger):
    """Thinks that text is ASCII."""

    def record(self, event: Event) -> tuple[str, str, dict[str, str]]:
        body = event.body.decode().encode("ascii", "replace")
        return event.id, base64.b64encode(body).decode(), event.headers


@broken(
    "test_bodies_arrive_byte_for_byte",
    also=("test_what_was_published_is_received", "test_the_largest_batch_arrives"),
)
class CutsLongBodies(Ledger):
    """Has a column of 65,535 bytes."""

    def record(self, event: Event) -> tuple[str, str, dict[str, str]]:
        return event.id, base64.b64encode(event.body[:65_535]).decode(), event.headers


@broken(
    "test_batches_arrive_in_order",
    also=(
        "test_batches_of_one_connection_arrive_in_order",
        "test_order_is_kept_when_batches_are_sent_again",
        "test_a_refused_event_is_a_dead_letter_and_the_others_arrive",
        "test_what_was_published_is_received",
        "test_each_group_gets_every_event",
        "test_a_new_group_begins_with_the_oldest_event",
        "test_a_new_group_begins_with_what_is_new",
        "test_looking_on_leaves_no_trace",
        "test_what_is_in_hand_comes_again",
        "test_what_was_acknowledged_does_not_come_again",
        *RECOVERY,
    ),
)
class SendsTheLastFirst(Ledger):
    """Takes the events from the wrong end."""

    def send(self, session: Any, events: Sequence[Event]) -> None:
        super().send(session, list(reversed(events)))


@broken("test_publishing_to_a_frozen_server_fails", also=UNHEARD_FAILURE)
class SwallowsErrors(Ledger):
    """Means well."""

    def send(self, session: Any, events: Sequence[Event]) -> None:
        try:
            super().send(session, events)
        except Exception as error:  # noqa: BLE001 - that is what is wrong with it
            logger.warning("ledger: %s", type(error).__name__)


@broken(
    "test_ids_arrive",
    "test_the_same_event_is_stored_once",
    also=(
        "test_what_was_published_is_received",
        "test_each_group_gets_every_event",
        "test_consumers_of_one_group_share_the_events",
        "test_a_new_group_begins_with_the_oldest_event",
        "test_a_new_group_begins_with_what_is_new",
        "test_looking_on_leaves_no_trace",
        "test_what_is_in_hand_comes_again",
        "test_what_was_acknowledged_does_not_come_again",
        "test_consuming_goes_on_after_the_server_was_killed",
        "test_a_partial_failure_names_what_was_confirmed",
        "test_a_refused_event_is_a_dead_letter_and_the_others_arrive",
        "test_no_body_is_shown_when_an_event_is_refused",
    ),
)
class IgnoresIds(Ledger):
    """Gives every message an id of its own, again each time that it is sent."""

    def record(self, event: Event) -> tuple[str, str, dict[str, str]]:
        _, body, headers = super().record(event)
        return uuid.uuid4().hex, body, headers


@broken("test_ids_arrive", also=("test_what_was_published_is_received",))
class WritesIdsInAscii(Ledger):
    """Has a header that takes no other characters."""

    def record(self, event: Event) -> tuple[str, str, dict[str, str]]:
        _, body, headers = super().record(event)
        return event.id.encode("ascii", "replace").decode(), body, headers


@broken("test_headers_arrive", "test_headers_are_received")
class DropsHeaders(Ledger):
    """Sends the body alone."""

    def record(self, event: Event) -> tuple[str, str, dict[str, str]]:
        return (*super().record(event)[:2], {})


@broken("test_the_same_event_is_stored_once")
class StoresTwice(Ledger):
    """Does not ask whether an event is there already."""

    once = False


@broken("test_the_batch_is_not_changed")
class EmptiesTheBatch(Ledger):
    """Takes the events out of the list as it sends them."""

    def send(self, session: Any, events: Sequence[Event]) -> None:
        super().send(session, events)
        assert isinstance(events, list)
        events.clear()


@broken("test_the_batch_is_not_changed")
class AddsToTheHeaders(Ledger):
    """Writes into the headers that belong to the application."""

    def send(self, session: Any, events: Sequence[Event]) -> None:
        super().send(session, events)
        for event in events:
            event.given_headers["sent"] = "yes"


@broken(
    "test_events_without_the_usual_fields_arrive",
    also=(
        "test_bodies_arrive_byte_for_byte",
        "test_what_was_published_is_received",
        "test_a_partial_failure_names_what_was_confirmed",
        "test_a_refused_event_is_a_dead_letter_and_the_others_arrive",
        "test_no_body_is_shown_when_an_event_is_refused",
        "test_no_secret_is_shown_while_all_is_well",
    ),
)
class NeedsASender(Ledger):
    """Looks into the body for what need not be there."""

    def record(self, event: Event) -> tuple[str, str, dict[str, str]]:
        assert json.loads(event.body)["sender_id"]
        return super().record(event)


@broken(
    "test_a_partial_failure_names_what_was_confirmed",
    also=("test_a_refused_event_is_a_dead_letter_and_the_others_arrive",),
)
class NamesTooManyAsConfirmed(Ledger):
    """Thinks that all the events but the refused one have arrived; none has."""

    def refusal(self, refused: Sequence[str], events: Sequence[Event]) -> Exception:
        others = [event.id for event in events if event.id not in refused]
        return RejectedEvents(dict.fromkeys(refused, "refused"), confirmed=others)


@broken(
    "test_a_refused_event_is_a_dead_letter_and_the_others_arrive",
    also=("test_a_partial_failure_names_what_was_confirmed",),
)
class RejectsTheWholeBatch(Ledger):
    """Does not know which event it was, and names them all."""

    def refusal(self, refused: Sequence[str], events: Sequence[Event]) -> Exception:
        del refused
        return RejectedEvents({event.id: "the batch was refused" for event in events})


@broken(
    "test_a_partial_failure_names_what_was_confirmed",
    "test_a_refused_event_is_a_dead_letter_and_the_others_arrive",
)
class CallsForAPersonOverOneEvent(Ledger):
    """Stops everything for one event that the server does not want."""

    def refusal(self, refused: Sequence[str], events: Sequence[Event]) -> Exception:
        said = f"event_broker.ledger: refuses {len(refused)} of {len(events)} events"
        return ConfigurationError(said)
