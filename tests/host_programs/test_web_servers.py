"""Workers of gunicorn and uvicorn deliver what they publish, although nobody calls `close`."""

from __future__ import annotations

import http.client
import json
import signal
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count

import psutil
import pytest

from host_programs.running import Programs, ended
from servers.ports import free_port, is_open
from waiting import wait_until

WORKERS = 4
CLIENTS = 8
EVENTS_A_REQUEST = 5

# with --preload the broker is made once, before the workers are forked
WSGI = """
import json, os, pathlib, event_brokers

broker = event_brokers.connect(json.loads(pathlib.Path("section.json").read_text()))
broker.publish({"sender_id": "start", "number": os.getpid()})

def app(environ, start_response):
    number = int(environ["QUERY_STRING"])
    for part in range(5):
        broker.publish({"sender_id": "request", "number": 5 * number + part}, timeout=60)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
ASGI = """
import json, os, pathlib, signal, sys, event_brokers

if os.environ["ENDS_BY"] == "exit":
    # uvicorn sends a worker its signal once more when all requests are answered
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
broker = event_brokers.connect(json.loads(pathlib.Path("section.json").read_text()))
broker.publish({"sender_id": "start", "number": os.getpid()})

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    number = int(scope["query_string"])
    events = [{"sender_id": "request", "number": 5 * number + part} for part in range(5)]
    broker.publish_many(events, timeout=60)
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""
UVICORN = """
import os, sys, uvicorn

os.environ["ENDS_BY"] = sys.argv[2]
if __name__ == "__main__":
    from asgi import broker  # so that the parent has one, too
    uvicorn.run(
        "asgi:app", port=int(sys.argv[1]), workers=4, lifespan="off", log_level="warning"
    )
"""


@pytest.mark.parametrize("waits", ["memory", "spool"])
def test_workers_of_gunicorn_share_a_broker_that_was_made_before_they_were(
    programs: Programs, waits: str
) -> None:
    """`--preload` and four workers: all that they answered for arrives, each event once."""
    programs.write("wsgi.py", WSGI)
    programs.write("section.json", json.dumps(programs.sql_section(waits)))
    port = free_port()
    server = (
        "-m", "gunicorn", "--preload", "--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}",
        "--graceful-timeout", "60", "--timeout", "120", "--log-level", "warning", "wsgi:app",
    )  # fmt: skip
    with programs.start(*server) as process:
        requests = serve_every_worker(programs, process, port)
        done = ended(process)
    assert (done.code, done.complaints) == (0, [])
    assert_arrived(programs, requests, starts=1)


@pytest.mark.parametrize(
    ("waits", "ends_by"),
    [
        pytest.param("memory", "exit", id="memory"),
        # the worker dies of the signal; its parent delivers what it has left
        pytest.param("spool", "signal", id="spool"),
    ],
)
def test_workers_of_uvicorn_and_their_parent_have_a_broker_each(
    programs: Programs, waits: str, ends_by: str
) -> None:
    """Four workers: all that they answered for arrives, each event once."""
    programs.write("asgi.py", ASGI)
    programs.write("section.json", json.dumps(programs.sql_section(waits)))
    port = free_port()
    program = programs.write("program.py", UVICORN)
    with programs.start(program, str(port), ends_by) as process:
        requests = serve_every_worker(programs, process, port)
        done = ended(process)
    assert (done.code, done.complaints) == (0, [])
    assert_arrived(programs, requests, starts=1 + WORKERS)


def serve_every_worker(programs: Programs, process: subprocess.Popen[str], port: int) -> int:
    """Ask until each worker has answered, end the server amid it, and return the last number.

    Parameters:
        programs: with the database, which is locked while the last requests are answered.
        process: the server.
        port: where it listens.
    """
    wait_until(lambda: is_open(port) or process.poll() is not None, 60)
    numbers = count()

    def ask(_: int) -> str:
        return answer(port, next(numbers))

    with ThreadPoolExecutor(CLIENTS) as clients:
        workers: set[str] = set()

        def have_all_answered() -> bool:
            workers.update(clients.map(ask, range(CLIENTS)))
            return len(workers) == WORKERS

        wait_until(have_all_answered, 60)
        # what is published last cannot be delivered before the workers are told to end
        with closing(sqlite3.connect(programs.database, isolation_level=None)) as lock:
            lock.execute("PRAGMA busy_timeout = 60000")
            lock.execute("BEGIN EXCLUSIVE")
            list(clients.map(ask, range(5 * CLIENTS)))
            process.send_signal(signal.SIGTERM)
            # one that would not wait for its events is gone by then
            psutil.wait_procs([psutil.Process(int(worker)) for worker in workers], timeout=1)
            lock.execute("ROLLBACK")
    return next(numbers)


def answer(port: int, number: int) -> str:
    """Ask once, and return who has answered.

    Parameters:
        port: where the server listens.
        number: of the request.
    """
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", f"/?{number}")
        response = connection.getresponse()
        assert response.status == 200
        return response.read().decode()


def assert_arrived(programs: Programs, requests: int, starts: int) -> None:
    """See that every event of every request is there, once.

    Parameters:
        programs: with the database.
        requests: how many were answered.
        starts: processes that made a broker of their own.
    """
    rows = programs.rows()
    assert set(rows.values()) == {1}
    numbers = {number for sender, number in rows if sender == "request"}
    assert numbers == set(range(EVENTS_A_REQUEST * requests))
    assert sum(sender == "start" for sender, _ in rows) == starts
