"""From what a client says of single events to the one error that the core understands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from event_brokers import BrokerUnavailable, ConfigurationError, Event, RejectedEvents
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.topic import access_error


class Kind(Enum):
    """Why an event was not confirmed, in the one vocabulary for every client."""

    TOO_LARGE = "too large"
    INVALID = "not taken by the topic"
    HELD_BACK = "not sent, because of another one"
    NO_WRITE_RIGHT = "the user may not write"
    NO_IDEMPOTENCE_RIGHT = "the user may not produce idempotently"
    CODEC = "the codec is not taken"
    FEW_REPLICAS = "too few replicas are in sync"
    TIMED_OUT = "no confirmation in time"
    OTHER = "anything else"


REFUSALS = (Kind.TOO_LARGE, Kind.INVALID)


@dataclass(frozen=True, eq=False)
class Failure:
    """Why events were not confirmed.

    One that stands for several events is of a whole batch: the broker did not say which of them it
    meant.

    Attributes:
        kind: what it means.
        name: what the client calls it.
        cause: the client's own error, where it is an exception.
    """

    kind: Kind
    name: str
    cause: BaseException | None = None


UNHEARD = Failure(Kind.TIMED_OUT, "no report")


def translate_failures(
    failures: Mapping[str, Failure],
    confirmed: Sequence[str],
    events: Sequence[Event],
    options: KafkaOptions,
    reconnect: bool,
) -> RejectedEvents | ConfigurationError | BrokerUnavailable:
    """Return the error to raise for a batch that was not confirmed as a whole.

    Parameters:
        failures: event id -> why it was not confirmed; one of what was not heard of may be missing.
        confirmed: ids of the events that were confirmed.
        events: the batch.
        options: what to name in the sentence.
        reconnect: whether the connection is used up.
    """
    refused = [event for event in events if failures.get(event.id, UNHEARD).kind in REFUSALS]
    if refused:
        reasons = _reasons_of_single_events(refused, failures)
        return RejectedEvents(reasons, confirmed=confirmed, reconnect=reconnect)
    causes = [each for each in failures.values() if each.kind is not Kind.HELD_BACK]
    cause = causes[0] if causes else next(iter(failures.values()), UNHEARD)
    failure = _batch_failure(cause, len(events) - len(confirmed), options)
    failure.confirmed = frozenset(confirmed)
    failure.__cause__ = cause.cause
    return failure


def _reasons_of_single_events(
    refused: Sequence[Event], failures: Mapping[str, Failure]
) -> dict[str, str]:
    times = Counter(failures[event.id] for event in refused)
    return {
        event.id: _reason(failures[event.id], event)
        for event in refused
        if times[failures[event.id]] == 1
    }


def _reason(failure: Failure, event: Event) -> str:
    if failure.kind is Kind.TOO_LARGE:
        return f"{event.size} bytes are more than the broker takes"
    return "the topic does not take this event; a compacted topic takes none without sender_id"


def _batch_failure(
    failure: Failure, count: int, options: KafkaOptions
) -> ConfigurationError | BrokerUnavailable:
    where = options.where
    if failure.kind is Kind.NO_WRITE_RIGHT:
        return access_error(options.topic, where)
    if failure.kind is Kind.NO_IDEMPOTENCE_RIGHT:
        return ConfigurationError(
            f"event_broker.{options.user_option}: '{where}' does not let this user produce "
            "idempotently; grant IdempotentWrite on the cluster"
        )
    if failure.kind is Kind.CODEC:
        return ConfigurationError(
            f"event_broker.compression_type: '{where}' does not take "
            f"'{options.compression_type}'; choose another"
        )
    if failure.kind is Kind.FEW_REPLICAS:
        reason = "too few replicas of the topic are in sync (min.insync.replicas)"
    elif failure.kind is Kind.TIMED_OUT:
        reason = "no confirmation in time"
    else:
        reason = f"the producer failed with {failure.name}"
    noun = "event was" if count == 1 else "events were"
    return BrokerUnavailable(f"{count} {noun} not confirmed by {where}: {reason}")
