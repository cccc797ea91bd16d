"""`event-brokers tail`: what arrives is shown, and nothing is taken away from anybody."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import event_brokers
from command import Commands
from event_brokers import endpoints
from event_brokers.cli import main
from event_brokers.cli.stop_signals import Stopped
from event_brokers.delivery_options import DeliveryOptions
from event_brokers.plugins import Plugin
from event_brokers.settings import Settings
from servers.backends import Backend


def publish(section: dict[str, Any], *events: dict[str, Any]) -> list[str]:
    """Publish events, and return their ids."""
    with event_brokers.connect(section) as broker:
        ids = broker.publish_many(events)
        assert broker.flush(60).pending == 0
    return ids


@contextmanager
def tailing(commands: Commands, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command until the block ends."""
    with commands.start("tail", *words, stderr=None) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """Return the next lines that are shown."""
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


@pytest.fixture
def watched(backend: Backend) -> Backend:
    """Return each broker, RabbitMQ with an exchange, for a queue alone gives events away."""
    if backend.is_endpoint:
        pytest.skip("nothing can be read back from it")
    if backend.section["type"] == "pika":
        name = backend.section["queue"]
        return Backend(
            {**backend.section, "exchange_name": f"{name}_x"}, backend.read, backend.server
        )
    return backend


def test_what_arrives_is_shown_and_left_where_it_is(watched: Backend, commands: Commands) -> None:
    """As JSON lines with id, origin, headers and the dictionary; the real consumer misses none."""
    event = {"sender_id": "s", "event": "user", "text": "hi"}
    publish(watched.section, event)
    commands.broker(watched.section)
    words = [] if watched.section["type"] == "pika" else ["--from-start"]
    with tailing(commands, "--json", *words) as process:
        # what was there before is shown where the broker keeps it, and new events everywhere
        shown: list[dict[str, Any]] = []
        published = 1
        while not shown:
            publish(watched.section, event)
            published += 1
            if words or _has_output(process):
                shown.append(json.loads(lines(process, 1)[0]))
    assert shown[0]["event"] == event
    assert set(shown[0]) == {"id", "origin", "headers", "event"}
    assert shown[0]["headers"].get("event_id", shown[0]["id"]) == shown[0]["id"]
    assert len(watched.read()) == published


def _has_output(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return bool(select.select([process.stdout.fileno()], [], [], 0.5)[0])


def test_people_read_a_line_for_each_event(sqlite_backend: Backend, commands: Commands) -> None:
    """Time, conversation, type and what it is about; nothing that could play with the terminal."""
    publish(
        sqlite_backend.section,
        {"sender_id": "s", "event": "user", "text": "hi \x1b[31m\nthere", "timestamp": 1.5},
        {"sender_id": "s", "event": "slot", "name": "people", "value": [2]},
        {"sender_id": "s", "event": "action", "name": "action_listen"},
        {"k": 1, "sender_id": "t"},
    )
    commands.broker(sqlite_backend.section)
    with tailing(commands, "--from-start") as process:
        shown = lines(process, 4)
    assert shown[0].endswith(r"  s  user      hi \x1b[31m\nthere")
    assert shown[1:] == [
        "--:--:--  s  slot      people = [2]",
        "--:--:--  s  action    action_listen",
        '--:--:--  t  -         {"k": 1}',
    ]


def test_one_conversation_or_some_types_can_be_picked(
    sqlite_backend: Backend, commands: Commands
) -> None:
    """The others are passed over."""
    publish(
        sqlite_backend.section,
        {"sender_id": "a", "event": "user", "text": "1"},
        {"sender_id": "b", "event": "user", "text": "2"},
        {"sender_id": "a", "event": "slot", "name": "x", "value": 3},
        {"sender_id": "a", "event": "bot", "text": "4"},
    )
    commands.broker(sqlite_backend.section)
    with tailing(commands, "--from-start", "--sender", "a", "--type", "user,bot") as process:
        assert [line[-1] for line in lines(process, 2)] == ["1", "4"]


class Swallowing:
    """A plugin that is struck by a signal where Python drops what is raised."""

    @event_brokers.hookimpl
    def connect(self) -> None:
        """Connect to nothing."""

    @event_brokers.hookimpl
    def publish(self) -> None:
        """Publish nothing."""

    @event_brokers.hookimpl
    def close(self) -> None:
        """Close nothing."""

    @event_brokers.hookimpl
    def consume(self) -> Iterator[None]:
        """Yield nothing for ever."""
        with suppress(Stopped):
            signal.raise_signal(signal.SIGTERM)
        while True:
            yield None


def test_a_signal_ends_it_although_its_exception_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is in a destructor, or where a weak reference calls back."""
    swallowing = Plugin("swallowing", "swallowing 1.0", Swallowing())
    monkeypatch.setattr(endpoints, "read", lambda _: Settings(swallowing, {}, DeliveryOptions()))
    with pytest.raises(SystemExit) as ended:
        main(["tail"])
    assert ended.value.code == 143


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_signal_ends_it(
    sqlite_backend: Backend, commands: Commands, number: signal.Signals, code: int
) -> None:
    """Quietly, and with the code that says so."""
    publish(sqlite_backend.section, {"n": 1})
    commands.broker(sqlite_backend.section)
    with commands.start("tail", "--from-start") as process:
        lines(process, 1)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (code, "", "")


def test_a_type_that_cannot_be_consumed_is_named(commands: Commands) -> None:
    """A plugin need not have the hook."""
    run = commands.run("tail")
    assert run.code == os.EX_CONFIG
    assert run.err == (
        "Error: event_broker.type: 'journal' cannot be consumed from; its plugin has no hook "
        "'consume'\n"
    )


@pytest.mark.xdist_group("rabbitmq")
def test_a_queue_without_an_exchange_wants_take(
    rabbitmq_backend: Backend, commands: Commands
) -> None:
    """It says plainly that it would take events away, and does so when told."""
    publish(rabbitmq_backend.section, {"sender_id": "s", "event": "user", "text": "hi"})
    commands.broker(rabbitmq_backend.section)
    run = commands.run("tail")
    assert run.code == os.EX_CONFIG
    assert "take" in run.err
    assert "--take" in run.err
    with tailing(commands, "--take") as process:
        assert lines(process, 1)[0].endswith("hi")
