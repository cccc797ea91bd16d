"""What kafka-python's errors of single events mean."""

from __future__ import annotations

from collections.abc import Mapping

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

from event_brokers_kafka.failures import Failure, Kind

_KINDS: Mapping[type[KafkaError], Kind] = {
    MessageSizeTooLargeError: Kind.TOO_LARGE,
    RecordListTooLargeError: Kind.TOO_LARGE,
    InvalidRecordError: Kind.INVALID,
    IllegalStateError: Kind.HELD_BACK,  # said of what was not sent any more
    TopicAuthorizationFailedError: Kind.NO_WRITE_RIGHT,
    UnsupportedCompressionTypeError: Kind.CODEC,
    NotEnoughReplicasError: Kind.FEW_REPLICAS,
    NotEnoughReplicasAfterAppendError: Kind.FEW_REPLICAS,
    KafkaTimeoutError: Kind.TIMED_OUT,
}


def failures_of(errors: Mapping[str, KafkaError]) -> dict[str, Failure]:
    """Return what the errors mean; those of a whole batch are one and the same object.

    Parameters:
        errors: event id -> what kafka-python said of it.
    """
    known = {id(error): _failure(error) for error in errors.values()}
    return {event_id: known[id(error)] for event_id, error in errors.items()}


def _failure(error: KafkaError) -> Failure:
    name = type(error).__name__
    # of InitProducerId kafka-python keeps only the text
    if ClusterAuthorizationFailedError.__name__ in f"{name} {error}":
        return Failure(Kind.NO_IDEMPOTENCE_RIGHT, name, error)
    kinds = (kind for known, kind in _KINDS.items() if isinstance(error, known))
    return Failure(next(kinds, Kind.OTHER), name, error)
