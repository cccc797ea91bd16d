"""A database ends sessions, or does not let anybody write."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from faults.scene import Scene
from servers import MariaDB, PostgreSQL
from waiting import wait_until


@contextmanager
def sessions_ended(scene: Scene) -> Iterator[None]:
    """An administrator ends the sessions amid a batch, again and again.

    Amid a batch: one that is ended between two is replaced before the next, and nobody feels it.
    """
    for _ in range(5):
        with table_locked(scene):
            wait_until(lambda: end_waiting_sessions(scene), 60)
    yield


def end_waiting_sessions(scene: Scene) -> int:
    """End the sessions that wait for somebody else's lock; return how many."""
    if isinstance(scene.backend.server, PostgreSQL):
        return end_sessions(scene.backend.server, "wait_event_type = 'Lock'")
    server = scene.server(MariaDB)
    sessions = server.query(
        "SELECT id FROM information_schema.processlist "
        "WHERE user = 'rasa' AND state LIKE 'Waiting for table%'"
    )
    for (session,) in sessions:
        server.query(f"KILL {session}")
    return len(sessions)


def end_sessions(server: PostgreSQL, which: str) -> int:
    """End sessions of PostgreSQL; return how many.

    Parameters:
        server: where they are.
        which: a condition on `pg_stat_activity`.
    """
    ended = server.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = current_database() AND {which}"
    )
    return len(ended)


@contextmanager
def table_locked(scene: Scene) -> Iterator[None]:
    """Somebody else has locked the table."""
    postgresql = isinstance(scene.backend.server, PostgreSQL)
    statement = "LOCK TABLE {} IN EXCLUSIVE MODE" if postgresql else "LOCK TABLES {} WRITE"
    server = scene.server(PostgreSQL) if postgresql else scene.server(MariaDB)
    with closing(server.connection()) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute(statement.format(scene.name))
        scene.running.burst()
        yield
        cursor.execute("ROLLBACK")


@contextmanager
def read_only_server(scene: Scene) -> Iterator[None]:
    """The server takes no writes, as a replica does."""
    server = scene.server(PostgreSQL)

    def switch(value: str) -> None:
        with closing(server.connection()) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(
                f"ALTER ROLE {server.username} SET default_transaction_read_only = {value}".encode()
            )

    switch("on")
    end_sessions(server, "pid <> pg_backend_pid()")
    scene.running.burst()
    try:
        yield
    finally:
        switch("off")


@contextmanager
def file_locked(scene: Scene) -> Iterator[None]:
    """Another process writes into the file, and does not end."""
    with closing(sqlite3.connect(scene.section["db"], isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        scene.running.burst()
        yield
        other.execute("ROLLBACK")


@contextmanager
def file_read_only(scene: Scene) -> Iterator[None]:
    """The file may not be written, not even by root."""
    file = scene.section.get("db") or scene.section["path"]
    if shutil.which("chattr") is None or subprocess.call(["chattr", "+i", file]):
        pytest.skip("chattr +i is not permitted here")
    scene.running.burst()
    try:
        yield
    finally:
        subprocess.check_call(["chattr", "-i", file])
