"""Delivery to RabbitMQ from memory, beside the clients for it."""

from benchmarks.row import OURS, RATE, Goal, Length, Row, Way

_PIKA = "pika SelectConnection"
_AIO_PIKA = "aio-pika"
_KOMBU = "kombu, confirmed"
_ONE = f"{OURS}, a single conversation"
_AT_ONCE = 4_096  # as many as pika has under way

ROWS = (
    Row(
        "rabbitmq",
        "RabbitMQ, from memory",
        "rabbitmq",
        (
            Way(OURS, "benchmarks.ways.ours", {"at_once": _AT_ONCE}),
            Way(_PIKA, "benchmarks.ways.pika_select"),
            Way(_AIO_PIKA, "benchmarks.ways.aio_pika_confirmed", needs="aio_pika", share=0.2),
            Way(
                "FastStream", "benchmarks.ways.faststream_confirmed", needs="faststream", share=0.2
            ),
            Way(_KOMBU, "benchmarks.ways.kombu_confirmed", needs="kombu", share=0.1),
        ),
        (
            Goal(RATE, "at least", 0.97, beside=_PIKA),
            Goal(RATE, "at least", 4, beside=_AIO_PIKA),
            Goal(RATE, "at least", 8, beside=_KOMBU),
        ),
        Length(40_000, 5, 2_000),
        Length(10_000, 3, 1_000),
    ),
    Row(
        "rabbitmq",
        "RabbitMQ, a queue that may refuse, from memory",
        "refusing",
        (
            Way(OURS, "benchmarks.ways.ours", {"at_once": _AT_ONCE}),
            Way(_ONE, "benchmarks.ways.ours", {"at_once": _AT_ONCE, "senders": 1}),
        ),
        (),
        Length(10_000, 5, 2_000),
        Length(3_000, 3, 500),
    ),
)
