"""The broker and the program that publishes are both killed, again and again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from command import Commands, closing_line
from faults.faults import GROUPS
from servers.backends import Backend

COUNT = 20_000
PUBLISHER = """
import os, sys
import event_brokers
first, count = int(sys.argv[1]), int(sys.argv[2])
broker = event_brokers.connect("endpoints.yml")
for number in range(first, count):
    event = {"sender_id": str(number % 4), "event": "user", "number": number}
    broker.publish(event, f"e{number:06}")
    os.write(1, b"%d\\n" % number)
broker.close(timeout=0)
"""
KILLS = 6
IN_SHORT = {"rabbitmq_backend", "file_backend"}


@pytest.mark.parametrize(
    "fixture",
    [
        pytest.param(
            f"{name}_backend", id=name, marks=pytest.mark.xdist_group(GROUPS.get(name, name))
        )
        for name in ("rabbitmq", "kafka", "librdkafka", "postgresql", "mariadb", "file")
    ],
)
def test_every_id_ends_at_the_broker(
    commands: Commands, fixture: str, request: pytest.FixtureRequest
) -> None:
    """20,000 events, of which the broker, the status and the command count the same."""
    if not request.config.getoption("--faults") and fixture not in IN_SHORT:
        pytest.skip("only with --faults")
    backend: Backend = request.getfixturevalue(fixture)
    delivery = {"spool": "waiting", "durability": "process"}
    commands.broker({**backend.section, "delivery": delivery})
    # RabbitMQ may forget a queue that was made in the moment before kill -9, with what it confirmed
    assert commands.run("publish", "-").code == 0
    if backend.server is not None:
        backend.server.restart()
    published = 0
    for kill in range(KILLS):
        stop_at = COUNT * (kill + 1) // (KILLS + 1)
        published = publish_until(commands.folder, published, stop_at)
        if backend.server is None:
            continue  # a file is killed by nobody
        if kill % 2:
            backend.server.recover()
        else:
            backend.server.kill()
    if backend.server is not None:
        backend.server.recover()
    assert publish_until(commands.folder, published, COUNT) == COUNT
    done = commands.run("publish", "--timeout", "60", "-")
    assert done.code == 0, done.err
    status = commands.run("spool", "status", "--json").document
    assert (status["accepted"], status["delivered"]) == (COUNT, COUNT)
    assert (status["pending"], status["dead_letters"]) == (0, 0)
    arrived = backend.read()
    first = list(dict.fromkeys(found.event_id for found in arrived))
    assert sorted(first) == [f"e{number:06}" for number in range(COUNT)]
    for sender in range(4):
        numbers = [int(each[1:]) for each in first if int(each[1:]) % 4 == sender]
        assert numbers == sorted(numbers)
    bodies = {found.event_id: json.loads(found.body)["number"] for found in arrived}
    assert all(event_id == f"e{number:06}" for event_id, number in bodies.items())
    assert commands.run("publish", "-").out == closing_line(0, 0)


def publish_until(folder: Path, first: int, last: int) -> int:
    """Publish from a number on, kill the program at another, and return how far it came.

    Parameters:
        folder: with endpoints.yml.
        first: the first number.
        last: the number at which SIGKILL comes; the last one of all ends in peace.
    """
    with subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, str(first), str(COUNT)],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        reached = first
        for line in process.stdout:
            if not line.endswith(b"\n"):
                break
            reached = int(line) + 1
            if reached == last and last < COUNT:
                os.kill(process.pid, signal.SIGKILL)
        assert process.wait(60) in {0, -signal.SIGKILL}
    return reached
