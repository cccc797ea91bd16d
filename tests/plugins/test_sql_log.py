"""No password and no body in any log of the SQL plugin, whatever its libraries are told to log."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import event_brokers
from event_brokers import UndeliveredEvents
from servers import MariaDB, PostgreSQL
from waiting import wait_until

# what an application does that wants to see everything, before anything is imported and after
PROGRAM = """
import json, logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
import event_brokers
section = json.loads(sys.argv[1])
for name in ("sqlalchemy", "sqlalchemy.engine", "sqlalchemy.engine.Engine", "sqlalchemy.pool",
             "psycopg", "psycopg.pq", "pymysql"):
    logging.getLogger(name).setLevel(logging.DEBUG)
with event_brokers.connect(section) as broker:
    broker.publish({"sender_id": "canary-sender", "text": "canary-body"})
    broker.publish({"text": "canary-other", "sender_id": "canary\\0nul"})
    broker.flush(30)
with event_brokers.consume(section, group="g", from_start=True) as consumer:
    assert next(consumer).event["text"] == "canary-body"
"""


SERVERS = [
    pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")),
    pytest.param("mariadb", marks=pytest.mark.xdist_group("mariadb")),
]


@pytest.fixture(params=["sqlite", *SERVERS])
def section(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Return the section of each database in turn, for a user whose password is a canary."""
    table = f"events_{uuid4().hex[:12]}"
    if request.param == "sqlite":
        return {"type": "sql", "db": str(tmp_path / "events.db"), "table": table}
    server: PostgreSQL | MariaDB = request.getfixturevalue(request.param)
    user = f"user_{uuid4().hex[:8]}"
    if isinstance(server, PostgreSQL):
        server.query(f"CREATE ROLE {user} LOGIN SUPERUSER PASSWORD 'canary-password'")
    else:
        server.query(f"CREATE USER {user} IDENTIFIED BY 'canary-password'")
        server.query(f"GRANT ALL ON *.* TO {user}")
    return {
        "type": "sql", "dialect": server.name, "host": server.host, "port": server.port,
        "db": server.db, "username": user, "password": "canary-password", "table": table,
    }  # fmt: skip


def logged(section: dict[str, Any]) -> str:
    """Return all that a program writes that publishes and consumes."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(section)],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.stdout + ended.stderr


def test_neither_password_nor_body_is_logged(section: dict[str, Any]) -> None:
    """By producers and consumers, with every logger at DEBUG; statements are, without values."""
    text = logged(section)
    assert "INSERT INTO" in text
    assert [line for line in text.splitlines() if "canary" in line] == []


@pytest.mark.parametrize("section", SERVERS, indirect=True)
def test_a_login_that_fails_logs_no_password(
    section: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Nor the body that could not be sent."""
    wrong = section | {"username": "nobody", "password": "canary-wrong"}
    with caplog.at_level(logging.DEBUG):
        broker = event_brokers.connect(wrong)
        broker.publish({"text": "canary-body"})
        wait_until(lambda: broker.status().state == "halted")
        with pytest.raises(UndeliveredEvents):
            broker.close(timeout=0)
    assert "refuses the user 'nobody'" in caplog.text
    assert "canary" not in caplog.text
