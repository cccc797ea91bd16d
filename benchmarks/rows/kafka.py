"""Delivery to Kafka from memory with each client, beside the loops that somebody would write."""

from benchmarks.row import OURS, RATE, Goal, Length, Row, Way
from servers.kafka import libraries

_TUNED = "kafka-python, tuned"
_LOOP = "confluent-kafka, a loop"
_JAVA = "Java's producer perf tool"

ROWS = (
    Row(
        "kafka",
        "Kafka with kafka-python, from memory",
        "kafka",
        (
            Way(OURS, "benchmarks.ways.ours"),
            Way(
                _TUNED,
                "benchmarks.ways.kafka_python_loop",
                {
                    "options": {
                        "acks": "all", "enable_idempotence": True, "linger_ms": 5,
                        "batch_size": 262_144,
                    }
                },
            ),
            Way("kafka-python, its defaults", "benchmarks.ways.kafka_python_loop"),
        ),
        (Goal(RATE, "at least", 1.0, beside=_TUNED),),
        Length(50_000, 5, 5_000),
        Length(20_000, 2, 2_000),
    ),
    Row(
        "kafka",
        "Kafka with librdkafka, from memory",
        "kafka",
        (
            Way(OURS, "benchmarks.ways.ours", {"options": {"client": "librdkafka"}}),
            Way(_LOOP, "benchmarks.ways.confluent_kafka_loop"),
            Way(
                _JAVA, "benchmarks.ways.java_perf_tool", {"libraries": str(libraries())},
                numbered=False,
            ),
        ),
        (Goal(RATE, "at least", 0.9, beside=_LOOP), Goal(RATE, "at least", 0.9, beside=_JAVA)),
        Length(200_000, 5, 5_000),
        Length(100_000, 2, 5_000),
    ),
)  # fmt: skip
