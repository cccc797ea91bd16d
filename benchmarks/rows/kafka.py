"""Delivery to Kafka from memory with each client, beside the loops that somebody would write."""

from benchmarks.row import OURS, RATE, Goal, Length, Row, Way
from servers.kafka import libraries

_TUNED = "kafka-python, tuned"
_LOOP = "confluent-kafka, a loop"
_JAVA = "Java's producer perf tool"
_JAVA_TUNED = f"{_JAVA}, tuned"
_PERF_TOOL = "benchmarks.ways.java_perf_tool"
_LIBRARIES = str(libraries())

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
        Length(20_000, 3, 2_000),
    ),
    Row(
        "kafka",
        "Kafka with librdkafka, from memory",
        "kafka",
        (
            Way(OURS, "benchmarks.ways.ours", {"options": {"client": "librdkafka"}}),
            Way(_LOOP, "benchmarks.ways.confluent_kafka_loop"),
            Way(_JAVA, _PERF_TOOL, {"libraries": _LIBRARIES}, numbered=False),
            Way(
                _JAVA_TUNED,
                _PERF_TOOL,
                {"libraries": _LIBRARIES, "options": ["linger.ms=5", "batch.size=262144"]},
                numbered=False,
            ),
        ),
        (Goal(RATE, "at least", 0.9, beside=_LOOP), Goal(RATE, "at least", 0.9, beside=_JAVA)),
        Length(200_000, 5, 5_000),
        Length(100_000, 3, 5_000),
    ),
)  # fmt: skip
