"""What a spool costs: beside SQLite alone, beside the same spool at rest, beside memory."""

from benchmarks.row import OURS, RATE, Goal, Length, Row, Way

_PUBLISH, _COMMITS = "benchmarks.ways.spool_publish", "benchmarks.ways.sqlite_commits"
_THREADS = f"{OURS}, 64 threads"
_DOWN = f"{OURS}, broker down"
_MEMORY = f"{OURS}, memory"
_PROCESS, _POWER = {"durability": "process"}, {"durability": "power"}
_BROKERS = {
    "rabbitmq": "RabbitMQ", "kafka": "Kafka", "sqlite": "SQLite", "postgresql": "PostgreSQL",
}  # fmt: skip
_AT_ONCE = 1_000


def _beside_sqlite(
    durability: str,
    synchronous: str,
    at_least: float,
    ways: tuple[Way, ...] = (),
    goals: tuple[Goal, ...] = (),
) -> Row:
    raw = f"SQLite, WAL, {synchronous}, one INSERT a commit"
    return Row(
        "spool",
        f"publish() into the spool, broker down, durability {durability}",
        "down",
        (
            Way(OURS, _PUBLISH, {"durability": durability}),
            Way(raw, _COMMITS, {"synchronous": synchronous}),
            *ways,
        ),
        (Goal(RATE, "at least", at_least, beside=raw), *goals),
        Length(10_000, 5, 500),
        Length(4_000, 3, 200),
    )


def _while_delivered(place: str, name: str) -> Row:
    return Row(
        "spool",
        f"publish() into the spool while {name} takes it, durability process",
        place,
        (Way(OURS, _PUBLISH, _PROCESS), Way(_DOWN, _PUBLISH, _PROCESS, place="down")),
        (Goal(RATE, "at least", 0.8, beside=_DOWN),),
        Length(20_000, 5, 500),
        Length(6_000, 3, 200),
    )


def _many_through_it(place: str, name: str) -> Row:
    ours = "benchmarks.ways.ours"
    return Row(
        "spool",
        f"publish_many() through the spool into {name}, durability process",
        place,
        (
            Way(OURS, ours, {"at_once": _AT_ONCE, **_PROCESS}),
            Way(_MEMORY, ours, {"at_once": _AT_ONCE}),
        ),
        (Goal(RATE, "at least", 0.9, beside=_MEMORY),),
        Length(50_000, 5, 2_000),
        Length(15_000, 3, 1_000),
    )


ROWS = (
    _beside_sqlite("process", "NORMAL", 0.8),
    _beside_sqlite(
        "power",
        "FULL",
        0.9,
        (Way(_THREADS, _PUBLISH, {**_POWER, "threads": 64}),),
        (Goal(RATE, "at least", 4, way=_THREADS, beside=OURS),),
    ),
    *(row(*broker) for broker in _BROKERS.items() for row in (_while_delivered, _many_through_it)),
)
