"""`event-brokers metrics`: what a spool counts, printed once or served, whoever delivers it."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from command import Commands, ended, numbered
from metric_samples import Samples
from waiting import next_line, wait_until

SPOOL = {"delivery": {"spool": "waiting"}}


def test_they_are_printed_once_as_prometheus_reads_them(commands: Commands) -> None:
    """Before anybody has published, too; `--json` has the same as a document."""
    commands.broker(SPOOL)
    before = commands.run("metrics")
    assert (before.code, before.err) == (0, "")
    assert Samples(before.out).value("accepted_total", scope="spool", type="journal") == 0
    assert commands.run("publish", commands.events(*numbered(12))).code == 0
    shown = Samples(commands.run("metrics").out)
    assert shown.value("delivered_total", scope="spool", type="journal", name="journal") == 12
    assert shown.state() == "unattended"
    document = commands.run("metrics", "--json").document
    (delivered,) = [
        each for each in document["metrics"] if each["name"] == "event_brokers_delivered_total"
    ]
    assert delivered["value"] == 12
    assert delivered["labels"] == {"type": "journal", "name": "journal", "scope": "spool"}


@contextmanager
def served(commands: Commands) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve on a free port, and hand out the process and the address."""
    with commands.start("metrics", "--serve", "--port", "0") as process:
        try:
            line = next_line(process)
            assert line.startswith("metrics at http://127.0.0.1:")
            yield process, line.removeprefix("metrics at ")
        finally:
            process.kill()


def scraped(url: str) -> Samples:
    """Return what is served."""
    answered = httpx2.get(url, trust_env=False, timeout=30)
    assert answered.headers["content-type"].startswith("text/plain; version=")
    return Samples(answered.text)


def test_they_are_served_until_a_signal(commands: Commands) -> None:
    """Each scrape looks anew, while another process publishes."""
    commands.broker({**SPOOL, "connect_fails": "unavailable"})
    with served(commands) as (process, url):
        assert scraped(url).value("pending") == 0
        with commands.start("publish", "--timeout", "60", "-") as publishing:
            assert publishing.stdin is not None
            publishing.stdin.write('{"n": 1}\n')
            publishing.stdin.flush()
            wait_until(lambda: scraped(url).value("pending") == 1)
            wait_until(lambda: scraped(url).state() == "retrying")
            publishing.kill()
        wait_until(lambda: scraped(url).state() == "unattended")
        assert scraped(url).value("pending") == 1
        process.send_signal(signal.SIGTERM)
        assert ended(process).code == 128 + signal.SIGTERM


def test_a_port_that_is_taken_is_named(commands: Commands) -> None:
    """With the option."""
    commands.broker(SPOOL)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = commands.run("metrics", "--serve", "--port", str(port))
    assert (done.code, done.err) == (
        69,
        f"Error: --port: 127.0.0.1:{port}: address already in use\n",
    )


def test_events_in_memory_cannot_be_seen_from_outside(commands: Commands) -> None:
    """The sentence says what to do."""
    done = commands.run("metrics")
    assert done.code == 78
    assert done.err.startswith("Error: event_broker.delivery.spool: events wait in memory")
