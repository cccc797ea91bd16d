"""A million events that wait on disk: whether they cost more the more of them there are."""

from benchmarks.row import OURS, Goal, Length, Row, Way

ROWS = (
    Row(
        "backlog",
        "A backlog in the spool, drained into SQLite, durability process",
        "sqlite",
        (Way(OURS, "benchmarks.ways.backlog", {"durability": "process"}),),
        (
            Goal("out, last tenth", "at least", 0.9, beside_measure="out, first tenth"),
            Goal("in, last tenth", "at least", 0.9, beside_measure="in, first tenth"),
            Goal("grown MB", "at most", 50),
        ),
        Length(1_000_000, 1),
        Length(100_000, 1),
    ),
)
