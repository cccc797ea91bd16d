"""Delivery into tables from memory, beside the drivers alone."""

from benchmarks.row import OURS, RATE, Goal, Length, Row, Way

_AT_ONCE = 4_096  # as in the transactions of the others


def _row(title: str, place: str, driver: str, at_least: float) -> Row:
    return Row(
        "sql",
        f"{title}, from memory",
        place,
        (
            Way(OURS, "benchmarks.ways.ours", {"at_once": _AT_ONCE}),
            Way(driver, "benchmarks.ways.sql_drivers"),
        ),
        (Goal(RATE, "at least", at_least, beside=driver),),
        Length(80_000, 5, 5_000),
        Length(20_000, 3, 2_000),
    )


ROWS = (
    _row("SQLite", "sqlite", "sqlite3, executemany", 0.85),
    _row("PostgreSQL", "postgresql", "psycopg, COPY", 0.7),
    _row("MariaDB", "mariadb", "PyMySQL, executemany", 0.95),
)
