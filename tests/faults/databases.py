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


@contextmanager
def sessions_ended(scene: Scene) -> Iterator[None]:
    """An administrator ends the sessions, again and again."""
    for _ in range(5):
        scene.running.burst()
        end_sessions(scene)
    yield


def end_sessions(scene: Scene) -> None:
    """End all sessions of the database but one's own."""
    if isinstance(scene.backend.server, PostgreSQL):
        scene.backend.server.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return
    server = scene.server(MariaDB)
    for (session,) in server.query(
        "SELECT id FROM information_schema.processlist "
        "WHERE user = 'rasa' AND id <> CONNECTION_ID()"
    ):
        server.query(f"KILL {session}")


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
    end_sessions(scene)
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
