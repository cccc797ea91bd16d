"""Waits for what librdkafka has to report, through its fatal errors."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException

# below 0.2: in a longer step confluent-kafka 2.16 goes on with reports while the exception of a
# fatal error is pending, and each of them fails with a SystemError
_STEP_SECONDS = 0.19


def flush(producer: Any, seconds: float) -> tuple[int, KafkaError | None]:
    """Send what waits and take the reports; return how many are missing, and a fatal error.

    Parameters:
        producer: confluent-kafka's.
        seconds: to wait for all of them.
    """
    deadline = time.monotonic() + seconds
    fatal: KafkaError | None = None
    while True:
        left = deadline - time.monotonic()
        if fatal is not None:
            # nothing more is sent, and what waits would be kept until the time is over; at every
            # step, for what librdkafka is about to queue is not purged
            producer.purge(in_flight=False)
        try:
            missing = producer.flush(max(0.0, min(_STEP_SECONDS, left)))
        except KafkaException as error:
            fatal = error.args[0]  # said once; the reports come after it
            continue
        if not missing or left <= 0:
            return missing, fatal
