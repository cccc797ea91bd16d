"""What a broker costs that has nothing to do, and how soon it notices another process' event."""

from benchmarks.row import OURS, Goal, Length, Row, Way

_MEMORY = f"{OURS}, memory"
_SPOOL = f"{OURS}, spool"

ROWS = (
    Row(
        "idle",
        "Idle",
        "noting",
        (
            Way(_SPOOL, "benchmarks.ways.idle", {"durability": "process"}),
            Way(_MEMORY, "benchmarks.ways.idle"),
        ),
        (
            Goal("% of a core", "at most", 0.1, way=_SPOOL),
            Goal("neighbour max ms", "at most", 50, way=_SPOOL),
        ),
        Length(30, 3),
        Length(10, 1),
        "seconds",
    ),
)
