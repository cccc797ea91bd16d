"""What a bot feels in 50 conversations a second, with the broker killed in the middle."""

from benchmarks.row import OURS, Goal, Length, Row, Way

_FEEL = "benchmarks.ways.feel"
_SPOOL = f"{OURS}, spool, durability power"
_WAKING = "json.dumps, and a thread that waits at a queue"
_BROKERS = {
    "rabbitmq": "RabbitMQ", "kafka": "Kafka", "postgresql": "PostgreSQL", "mariadb": "MariaDB",
}  # fmt: skip

ROWS = tuple(
    Row(
        "feel",
        f"50 conversations a second, {name} killed in the middle",
        place,
        (
            Way(OURS, _FEEL, may_repeat=True),
            Way(_SPOOL, _FEEL, {"durability": "power"}, may_repeat=True, share=0.1),
            Way(_WAKING, "benchmarks.ways.waking", share=0.05),
        ),
        (Goal("p99 us", "at most", 100),),
        Length(300, 1),
        Length(20, 1),
        "seconds",
    )
    for place, name in _BROKERS.items()
)
