"""From what kafka-python says of single events to the one error that the core understands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from kafka.errors import (
    ClusterAuthorizationFailedError,
    IllegalStateError,
    InvalidRecordError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotEnoughReplicasAfterAppendError,
    NotEnoughReplicasError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnsupportedCompressionTypeError,
)

from event_brokers import BrokerUnavailable, ConfigurationError, Event, RejectedEvents
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.topic import access_error

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
_REFUSALS = (*_TOO_LARGE, InvalidRecordError)
_NOT_ENOUGH_REPLICAS = (NotEnoughReplicasError, NotEnoughReplicasAfterAppendError)


def translate_errors(
    errors: Mapping[str, KafkaError],
    confirmed: Sequence[str],
    events: Sequence[Event],
    options: KafkaOptions,
    reconnect: bool,
) -> RejectedEvents | ConfigurationError | BrokerUnavailable:
    """Return the error to raise for a batch that was not confirmed as a whole.

    Parameters:
        errors: event id -> why it was not confirmed; one at the least. IllegalStateError is said
            of events that were kept back because of another's error.
        confirmed: ids of the events that were confirmed.
        events: the batch.
        options: what to name in the sentence.
        reconnect: whether the connection is used up.
    """
    refused = [event for event in events if isinstance(errors.get(event.id), _REFUSALS)]
    if refused:
        reasons = _reasons_of_single_events(refused, errors)
        return RejectedEvents(reasons, confirmed=confirmed, reconnect=reconnect)
    causes = [error for error in errors.values() if not isinstance(error, IllegalStateError)]
    cause = causes[0] if causes else next(iter(errors.values()))
    failure = _batch_failure(cause, len(events) - len(confirmed), options)
    failure.confirmed = frozenset(confirmed)
    failure.__cause__ = cause
    return failure


def _reasons_of_single_events(
    refused: Sequence[Event], errors: Mapping[str, KafkaError]
) -> dict[str, str]:
    # one error for several events: the broker refused their batch and did not say which it meant
    times = Counter(id(errors[event.id]) for event in refused)
    return {
        event.id: _reason(errors[event.id], event)
        for event in refused
        if times[id(errors[event.id])] == 1
    }


def _reason(error: KafkaError, event: Event) -> str:
    if isinstance(error, _TOO_LARGE):
        return f"{event.size} bytes are more than the broker takes"
    return "the topic does not take this event; a compacted topic takes none without sender_id"


def _batch_failure(
    error: KafkaError, count: int, options: KafkaOptions
) -> ConfigurationError | BrokerUnavailable:
    where = ", ".join(map(str, options.addresses))
    if isinstance(error, TopicAuthorizationFailedError):
        return access_error(options.topic, where)
    # of InitProducerId kafka-python keeps only the text
    if ClusterAuthorizationFailedError.__name__ in f"{type(error).__name__} {error}":
        return ConfigurationError(
            f"event_broker.{options.user_option}: '{where}' does not let this user produce "
            "idempotently; grant IdempotentWrite on the cluster"
        )
    if isinstance(error, UnsupportedCompressionTypeError):
        return ConfigurationError(
            f"event_broker.compression_type: '{where}' does not take "
            f"'{options.compression_type}'; choose another"
        )
    if isinstance(error, _NOT_ENOUGH_REPLICAS):
        reason = "too few replicas of the topic are in sync (min.insync.replicas)"
    elif isinstance(error, KafkaTimeoutError):
        reason = "no confirmation in time"
    else:
        reason = f"the producer failed with {type(error).__name__}"
    noun = "event was" if count == 1 else "events were"
    return BrokerUnavailable(f"{count} {noun} not confirmed by {where}: {reason}")
