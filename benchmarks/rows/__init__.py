"""The rows that are measured, in the order in which they are shown."""

from benchmarks.row import Row
from benchmarks.rows import backlog, feel, idle, kafka, publish, rabbitmq, spool, sql, start, turns

ROWS: tuple[Row, ...] = (
    *start.ROWS,
    *publish.ROWS,
    *rabbitmq.ROWS,
    *kafka.ROWS,
    *sql.ROWS,
    *spool.ROWS,
    *backlog.ROWS,
    *idle.ROWS,
    *turns.ROWS,
    *feel.ROWS,
)
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(row.group for row in ROWS))
