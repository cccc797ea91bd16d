"""`event-brokers monitor`: the page of a spool, in a process of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx2
import pytest

from command import Commands, ended
from spools import tree
from waiting import next_line

URL = "the page is at "


def spooled(commands: Commands) -> Path:
    """Write an endpoints.yml with a spool, and return its folder."""
    commands.broker({"delivery": {"spool": str(commands.folder / "spool")}})
    return commands.folder / "spool"


def test_looking_at_a_spool_changes_nothing_there(commands: Commands) -> None:
    """It is seen whoever delivers it, and stays as it was, to the byte and the second."""
    folder = spooled(commands)
    assert commands.run("publish", "-", given='{"event": "user"}\n').code == 0
    at = {"destination": "journal"}
    asked = [
        ("dead-letters", at, "groups"),
        ("conversations", at, "conversations"),
        ("conversation", {**at, "sender_id": "anna"}, "events"),
        ("whereabouts", {**at, "id": "unknown"}, "where"),
    ]
    before = tree(folder)
    with commands.start("monitor", "--port", "0", stderr=None) as process:
        url = next_line(process).removeprefix(URL)
        with httpx2.Client(base_url=url, timeout=60, trust_env=False) as client:
            assert "event-brokers" in client.get("/").text
            assert '"delivered":1' in client.get("/api/stream").text
            for path, words, expected in asked:
                assert expected in client.get(f"/api/{path}", params=words).json()
                assert tree(folder) == before
        process.send_signal(signal.SIGINT)
        assert ended(process).code == 130
    assert tree(folder) == before


def test_a_spool_that_is_not_there_yet_is_not_made(commands: Commands) -> None:
    """Whoever starts the page first sees the events when they come."""
    folder = spooled(commands)
    with commands.start("monitor", "--port", "0", stderr=None) as process:
        url = next_line(process).removeprefix(URL)
        shown = httpx2.get(f"{url}api/stream", timeout=60, trust_env=False).text
        assert "No process delivers now; nothing waits" in shown
        process.terminate()
        assert ended(process).code == 143
    assert not folder.exists()


def test_events_in_memory_cannot_be_seen_from_another_process(commands: Commands) -> None:
    """It says what can be done instead."""
    run = commands.run("monitor", "--port", "0")
    assert run.code == os.EX_CONFIG
    assert "event_broker.delivery.spool: events wait in memory" in run.err
    assert "event_brokers_monitor.application()" in run.err


def test_another_address_than_this_machines_needs_a_token(commands: Commands) -> None:
    """Whoever reaches it could drop events; with a token it listens there."""
    spooled(commands)
    run = commands.run("monitor", "--port", "0", "--interface", "0.0.0.0")
    assert run.code == os.EX_USAGE
    assert "--interface: whoever reaches 0.0.0.0" in run.err
    token = {"EVENT_BROKERS_AUTH_TOKEN": "a-secret-token"}
    words = ("monitor", "--port", "0", "--interface", "0.0.0.0")
    with commands.start(*words, env=token, stderr=None) as process:
        line = next_line(process)
        assert "a-secret-token" not in line
        url = line.removeprefix(URL).replace("0.0.0.0", "127.0.0.1")
        assert httpx2.get(url, trust_env=False).status_code == 401
        headers = {"authorization": "Bearer a-secret-token"}
        assert httpx2.get(url, headers=headers, trust_env=False).status_code == 200
        process.terminate()
        assert ended(process).code == 143


@pytest.mark.parametrize("token", ["", "  "])
def test_an_empty_token_lets_nobody_in(commands: Commands, token: str) -> None:
    """Such as that of a variable which somebody has forgotten to fill."""
    spooled(commands)
    run = commands.run("monitor", env={"EVENT_BROKERS_AUTH_TOKEN": token})
    assert (run.code, "--auth-token: is empty" in run.err) == (os.EX_USAGE, True)


def test_a_page_over_a_spool_delivers_nothing(commands: Commands) -> None:
    """What is published from it waits for the process whose work that is."""
    spooled(commands)
    commands.run("publish", "-", given='{"event": "user"}\n')
    with commands.start("monitor", "--port", "0", stderr=None) as process:
        url = next_line(process).removeprefix(URL)
        body = {"destination": "journal", "event": {"event": "test"}}
        with httpx2.Client(base_url=url, timeout=60, trust_env=False) as client:
            accepted = client.post("/api/publish", json=body).json()
            where = client.get(f"/api/whereabouts?destination=journal&id={accepted['id']}")
            assert where.json() == {"where": "waits"}
        process.terminate()
        ended(process)
    assert [each["event"] for each in commands.read()] == ["user"]
    assert commands.run("publish", "-").code == 0
    assert [each["event"] for each in commands.read()] == ["user", "test"]
