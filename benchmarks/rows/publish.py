"""What a call of `publish` takes, with the broker healthy, busy and away."""

from benchmarks.row import OURS, RATE, Goal, Length, Row, Way

_BUSY = f"{OURS}, while PostgreSQL takes 10,000 a second"
_SCRAPED = f"{OURS}, scraped every second"
_TRACED = f"{OURS}, instrumented, without an SDK"

_OUTAGES = [
    Row(
        "publish",
        f"publish() with the broker healthy and killed, {queue}",
        "postgresql",
        (Way(OURS, "benchmarks.ways.outage", settings),),
        (Goal("p99 us, killed", "at most", 1.2, beside_measure="p99 us, healthy"),),
        Length(6_000, 1, 1_500),
        Length(2_000, 1, 500),
        "calls each",
    )
    for queue, settings in (
        ("memory", {}),
        ("spool, durability process", {"durability": "process"}),
        ("spool, durability power", {"durability": "power"}),
    )
]

ROWS = (
    Row(
        "publish",
        "publish() into memory",
        "postgresql",
        (
            Way(OURS, "benchmarks.ways.paced_publish", place="down"),
            Way(_BUSY, "benchmarks.ways.paced_publish", {"rate": 10_000}),
        ),
        (Goal("p99 us", "at most", 100), Goal("p99 us", "at most", 100, way=_BUSY)),
        Length(100_000, 5, 2_000),
        Length(20_000, 3, 2_000),
        "calls",
    ),
    Row(
        "publish",
        "publish() into memory, with metrics and traces",
        "down",
        (
            Way(OURS, "benchmarks.ways.paced_publish"),
            Way(_SCRAPED, "benchmarks.ways.paced_publish", {"watch": "scraped"}),
            Way(_TRACED, "benchmarks.ways.paced_publish", {"watch": "instrumented"}),
        ),
        tuple(Goal(RATE, "at least", 0.97, way=way, beside=OURS) for way in (_SCRAPED, _TRACED)),
        Length(90_000, 15, 2_000),
        Length(20_000, 5, 2_000),
        "calls",
    ),
    *_OUTAGES,
)
