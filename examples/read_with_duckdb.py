"""Ask DuckDB about what the file broker has written: read_with_duckdb.py rasa_event.log.

It reads the file and those that were rotated, compressed or not, while they are written.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import duckdb

COLUMNS = {
    "sender_id": "VARCHAR",
    "event": "VARCHAR",
    "timestamp": "DOUBLE",
    "event_broker": "STRUCT(id VARCHAR)",
}
# an event that was written twice has the same id both times; a line that is just being written has
# none
QUERY = """
SELECT sender_id, count(*) AS events, count(*) FILTER (event = 'user') AS from_the_user,
       round(max(timestamp) - min(timestamp), 1) AS seconds
FROM (SELECT DISTINCT ON (event_broker.id) * FROM
      read_json(?, format = 'newline_delimited', columns = {columns}, ignore_errors = true)
      WHERE event_broker.id IS NOT NULL)
GROUP BY sender_id ORDER BY min(timestamp)
"""


def main(path: Path) -> None:
    """Print a line for each conversation."""
    query = QUERY.format(columns=json.dumps(COLUMNS).replace('"', "'"))
    with duckdb.connect() as connection:
        for row in connection.execute(query, [_files(path)]).fetchall():
            print(*row)


def _files(path: Path) -> list[str]:
    rotated = re.compile(re.escape(path.name) + r"(\.\d{4}-\d\d-\d\d)?(\.\d+)?(\.gz)?")
    return [str(file) for file in sorted(path.parent.iterdir()) if rotated.fullmatch(file.name)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
