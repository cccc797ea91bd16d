"""The programs of examples/ for agents and their services, run as their reader would."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

import event_brokers
from servers.backends import Backend
from servers.ports import free_port, is_open
from waiting import wait_until
from wheels import ROOT

EXAMPLES = ROOT / "examples"
WORKERS = 4


def write_endpoints(path: Path, section: dict[str, Any]) -> None:
    """Write a file with a section for a broker."""
    path.write_text(yaml.safe_dump({"event_broker": section}))


def rows(database: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Return what has arrived in an SQLite file."""
    if not database.exists():
        return []
    with closing(sqlite3.connect(database)) as connection:
        try:
            found = connection.execute("SELECT sender_id, type_name, data FROM events ORDER BY id")
            return [(sender_id, name, json.loads(data)) for sender_id, name, data in found]
        except sqlite3.OperationalError:
            return []  # the table is not made yet


@contextmanager
def serving(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the FastAPI application with its workers; what is left of them at the end is killed."""
    command = [
        sys.executable, "-m", "uvicorn", "fastapi_app:app", "--app-dir", str(EXAMPLES),
        "--workers", str(WORKERS), "--port", str(port), "--log-level", "warning",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=folder, env=os.environ) as process:
        try:
            wait_until(lambda: is_open(port) or process.poll() is not None, 60)
            yield process
        finally:
            if process.poll() is None:
                kill_all(process)


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill a supervisor and its workers, which it would start anew."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for child in children:
        child.kill()


def say(port: int, number: int) -> tuple[int, dict[str, Any]]:
    """Say something to the application, and return the status and what it answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    with closing(connection):
        body = json.dumps({"text": f"hi {number}"})
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/conversations/c{number % 5}/messages", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_four_workers_of_fastapi_lose_nothing(tmp_path: Path) -> None:
    """All that they have answered for arrives once, also where all of them were killed."""
    section = {
        "type": "sql", "db": str(tmp_path / "not there yet" / "events.db"),
        "delivery": {"spool": str(tmp_path / "spool")},
    }  # fmt: skip
    write_endpoints(tmp_path / "endpoints.yml", section)
    port = free_port()
    with serving(tmp_path, port) as process:
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda number: say(port, number), range(60)))
        kill_all(process)
    assert {status for status, _ in answers} == {202}
    (tmp_path / "not there yet").mkdir()
    port = free_port()
    with serving(tmp_path, port) as process:
        with ThreadPoolExecutor(8) as clients:
            answers += clients.map(lambda number: say(port, number), range(60, 120))
        database = tmp_path / "not there yet" / "events.db"
        wait_until(lambda: len(rows(database)) == len(answers), 60)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert sorted(data["text"] for _, _, data in rows(database)) == sorted(
        f"hi {number}" for number in range(120)
    )
    with closing(sqlite3.connect(database)) as connection:
        ids = {event_id for (event_id,) in connection.execute("SELECT event_id FROM events")}
    assert ids == {answer["event_id"] for _, answer in answers}


def test_a_full_spool_is_told_to_the_client(tmp_path: Path) -> None:
    """As a 503 that says when to come again."""
    section = {
        "type": "sql", "db": str(tmp_path / "not there" / "events.db"),
        "delivery": {"spool": str(tmp_path / "spool"), "max_pending": 2},
    }  # fmt: skip
    write_endpoints(tmp_path / "endpoints.yml", section)
    port = free_port()
    with serving(tmp_path, port):
        statuses = [say(port, number)[0] for number in range(4)]
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        with closing(connection):
            connection.request("GET", "/health")
            health = json.loads(connection.getresponse().read())
    assert statuses == [202, 202, 503, 503]
    assert (health["pending"], health["delivered"]) == (2, 0)


class Model(BaseHTTPRequestHandler):
    """A server with the chat completions of OpenAI's API: asks for one tool, then answers."""

    def do_POST(self) -> None:
        """Answer with what the tool has said, once it has."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        last = asked["messages"][-1]
        if last["role"] == "tool":
            said = f"{last['content']} tables are free"
            message: dict[str, Any] = {"role": "assistant", "content": said}
        else:
            function = {
                "name": asked["tools"][0]["function"]["name"], "arguments": '{"day": "Friday"}'
            }  # fmt: skip
            calls = [{"id": "call_1", "type": "function", "function": function}]
            message = {"role": "assistant", "content": None, "tool_calls": calls}
        body = json.dumps({"choices": [{"message": message}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
        """Say nothing."""


@pytest.fixture
def model_url() -> Iterator[str]:
    """Serve a model, and return its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


@pytest.mark.xdist_group("kafka")
def test_an_agent_streams_messages_to_kafka_and_tool_calls_into_sqlite(
    kafka_backend: Backend, model_url: str, tmp_path: Path
) -> None:
    """Two brokers in one program, each with what is its own, of the same conversation."""
    write_endpoints(tmp_path / "kafka.yml", kafka_backend.section)
    write_endpoints(tmp_path / "sqlite.yml", {"type": "sql", "db": str(tmp_path / "tools.db")})
    command = [
        sys.executable, str(EXAMPLES / "agent_loop.py"), "--url", model_url, "is Friday free?"
    ]  # fmt: skip
    run = subprocess.run(
        command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=120
    )
    assert (run.returncode, run.stdout) == (0, "3 tables are free\n"), run.stderr
    said = [json.loads(each.body) for each in kafka_backend.read()]
    assert [(event["event"], event["text"]) for event in said] == [
        ("user", "is Friday free?"), ("bot", "3 tables are free"),
    ]  # fmt: skip
    ((sender_id, kind, call),) = rows(tmp_path / "tools.db")
    assert {event["sender_id"] for event in said} == {sender_id}
    assert (kind, call["name"], call["arguments"], call["result"]) == (
        "tool_call", "count_free_tables", {"day": "Friday"}, "3",
    )  # fmt: skip


def test_duckdb_reads_what_the_file_broker_writes(tmp_path: Path) -> None:
    """Rotated and compressed files too, each event once, and a line that is being written never."""
    path = tmp_path / "rasa_event.log"
    section = {
        "type": "file", "path": str(path), "rotate": "size", "rotate_bytes": 4000, "compress": True,
    }  # fmt: skip
    with event_brokers.connect(section) as broker:
        for number in range(100):
            kind = "user" if number % 2 else "bot"
            event = {"sender_id": f"c{number % 4}", "event": kind, "timestamp": 1000.0 + number}
            broker.publish({**event, "text": "x" * 50})
            if number % 10 == 0:
                broker.flush(20)
    wait_until(lambda: any(tmp_path.glob("*.gz")))
    last = path.read_text(encoding="utf-8").splitlines()[-1]
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{last}\n{last[:20]}")
    command = [sys.executable, str(EXAMPLES / "read_with_duckdb.py"), str(path)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        "c0 25 0 96.0", "c1 25 25 96.0", "c2 25 0 96.0", "c3 25 25 96.0",
    ]  # fmt: skip
