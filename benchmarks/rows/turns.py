"""What a user of the assistant feels over HTTP while the broker is away: nothing."""

from benchmarks.row import OURS, Goal, Length, Row, Way

_TURNS = "benchmarks.ways.assistant_turns"
_STORE = {"tracker_store": {"type": "SQL", "db": "tracker.db"}}

ROWS = tuple(
    Row(
        "turns",
        f"A turn over HTTP with the broker healthy and killed, {kind}",
        "postgresql",
        (Way(OURS, _TURNS, settings),),
        (Goal("p95 ms, killed", "at most", 1.2, beside_measure="p95 ms, healthy"),),
        Length(600, 1, 100),
        Length(200, 1, 50),
        "turns each",
    )
    for kind, settings in (
        ("all in memory", {}),
        ("SQLite and spool", {"durability": "power", "endpoints": _STORE}),
    )
)
