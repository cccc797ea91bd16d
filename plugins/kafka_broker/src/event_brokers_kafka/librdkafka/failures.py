"""What librdkafka's reports of single events mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from confluent_kafka import KafkaError

from event_brokers_kafka.failures import REFUSALS, Failure, Kind

_KINDS: Mapping[int, Kind] = {
    KafkaError.MSG_SIZE_TOO_LARGE: Kind.TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE: Kind.TOO_LARGE,
    KafkaError.INVALID_RECORD: Kind.INVALID,
    # said of what was purged, and of what shared a batch with an invalid record
    KafkaError._PURGE_QUEUE: Kind.HELD_BACK,
    KafkaError._PURGE_INFLIGHT: Kind.HELD_BACK,
    KafkaError._INVALID_DIFFERENT_RECORD: Kind.HELD_BACK,
    KafkaError._GAPLESS_GUARANTEE: Kind.HELD_BACK,
    KafkaError._FATAL: Kind.HELD_BACK,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: Kind.NO_WRITE_RIGHT,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: Kind.NO_IDEMPOTENCE_RIGHT,
    KafkaError.UNSUPPORTED_COMPRESSION_TYPE: Kind.CODEC,
    KafkaError.NOT_ENOUGH_REPLICAS: Kind.FEW_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND: Kind.FEW_REPLICAS,
    KafkaError.REQUEST_TIMED_OUT: Kind.TIMED_OUT,
    KafkaError._TIMED_OUT: Kind.TIMED_OUT,
    KafkaError._MSG_TIMED_OUT: Kind.TIMED_OUT,
}


class Report(NamedTuple):
    """What librdkafka said of an event that was not confirmed.

    Attributes:
        error: why.
        partition: in which it would stand; None where it never left the program.
    """

    error: KafkaError
    partition: int | None


def failures_of(reports: Mapping[str, Report]) -> dict[str, Failure]:
    """Return what the reports mean; those of a whole batch are one and the same object.

    Once a batch has failed, no later one of its partition is sent: so whatever a partition reports
    with the same error is of one batch.

    Parameters:
        reports: event id -> what was said of it.
    """
    of_batch: dict[tuple[int, int], Failure] = {}
    found: dict[str, Failure] = {}
    for event_id, report in reports.items():
        failure = failure_of(report.error)
        if report.partition is None:
            found[event_id] = failure
            continue
        found[event_id] = of_batch.setdefault((report.partition, report.error.code()), failure)
    return found


def failure_of(error: KafkaError) -> Failure:
    """Return what an error means."""
    return Failure(_KINDS.get(error.code(), Kind.OTHER), error.name())


def concern_batches(failures: Mapping[str, Failure]) -> bool:
    """Return whether a batch of several events was refused, which says nothing of any of them."""
    times = Counter(failure for failure in failures.values() if failure.kind in REFUSALS)
    return any(count > 1 for count in times.values())
