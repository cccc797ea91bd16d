"""A real Rasa's loader makes our broker, and its conversations never notice that it is there."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import event_brokers
from command import Commands
from event_brokers import (
    ConfigurationError,
    Event,
    Options,
    PluginError,
    Secret,
    SpoolError,
    UndeliveredEvents,
    hookimpl,
    plugins,
)
from event_brokers.plugins import Plugin
from event_brokers.queues.spool import Spool
from event_brokers.rasa import RasaEventBroker
from event_brokers.rasa import broker as rasa_broker
from event_brokers.testing import MemoryBroker
from rasas_loader import RASA_TYPE, loaded
from waiting import wait_until

EVENTS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "rasa-3.6.21-events.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


def stream(broker: RasaEventBroker, events: Sequence[dict[str, Any]]) -> None:
    """Do as `_stream_new_events` of rasa/core/tracker_store.py."""
    for event in events:
        broker.publish(event)


def close(broker: RasaEventBroker) -> None:
    """Close as Rasa does when its server stops."""
    asyncio.run(broker.close())


class Listening(MemoryBroker):
    """A plugin that has the options of a real one and keeps what it was given.

    Parameters:
        real: the plugin that knows the options.
    """

    def __init__(self, real: Plugin) -> None:
        super().__init__()
        self._real = real
        self.given: Any = None

    @hookimpl
    def options(self) -> Any:
        """Return the real options class."""
        return self._real.options_class

    @hookimpl
    def connect(self, options: Any) -> object:
        """Keep the options."""
        self.given = options
        return super().connect(options)


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> dict[str, Listening]:
    """Every plugin that is loaded, by its type, in place of the real one."""
    found: dict[str, Listening] = {}
    load = plugins.load

    def load_listening(type_name: str) -> Plugin:
        real = load(type_name)
        found[real.type] = Listening(real)
        return Plugin(real.type, real.distribution, found[real.type])

    monkeypatch.setattr(plugins, "load", load_listening)
    return found


@pytest.mark.parametrize("spool", [False, True], ids=["memory", "spool"])
@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_what_rasa_streams_arrives(tmp_path: Path, nested: bool, spool: bool) -> None:
    """Every kind of event that Rasa has, in order and unchanged, in a real database."""
    options: dict[str, Any] = {"dialect": "sqlite", "db": str(tmp_path / "events.db")}
    if spool:
        options["delivery"] = {"spool": str(tmp_path / "events.spool"), "exit_timeout": 60}
    broker = loaded(
        {"broker": {"type": "SQL", **options}} if nested else {"broker_type": "SQL", **options}
    )
    assert broker.is_ready()
    stream(broker, EVENTS)
    close(broker)
    close(broker)
    assert not broker.is_ready()
    with closing(sqlite3.connect(tmp_path / "events.db")) as database:
        rows = database.execute("SELECT data FROM events ORDER BY id").fetchall()
    assert [json.loads(data) for (data,) in rows] == EVENTS


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("pika", {"url": "rabbit", "username": "u", "password": "${x}$"}),
        ("kafka", {"url": "kafka:9092", "topic": "t", "security_protocol": "PLAINTEXT"}),
        ("sql", {"dialect": "postgresql", "url": "db", "db": "d", "password": "$${x}"}),
    ],
)
@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_what_rasa_makes_of_the_options_is_undone(
    kind: str, options: dict[str, Any], nested: bool, listening: dict[str, Listening]
) -> None:
    """`url` comes back from Rasa's own attribute, and no text is taken for a variable again."""
    broker = loaded(
        {"broker": {"type": kind, **options}} if nested else {"broker_type": kind, **options}
    )
    wait_until(lambda: listening[kind].given)
    close(broker)
    given = {name: getattr(listening[kind].given, name) for name in options}
    assert {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in given.items()
    } == options


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            {},
            (
                "event_broker.type: does not say which broker; "
                "add broker_type, such as broker_type: kafka"
            ),
        ),
        (
            {"broker_type": "pika", "prot": 1},
            "event_broker.prot: unknown option of 'pika'; did you mean 'port'?",
        ),
        (
            {"broker_type": "pika", "port": "abc"},
            "event_broker.port: 'abc' is not a whole number from 1 to 65535",
        ),
        (
            {"broker": {"type": "pika", "port": "abc"}},
            "event_broker.broker.port: 'abc' is not a whole number from 1 to 65535",
        ),
        (
            {"broker": {"type": "pika", "delivery": {"max_pendin": 1}}},
            (
                "event_broker.broker.delivery.max_pendin: unknown option of 'delivery'; "
                "did you mean 'max_pending'?"
            ),
        ),
        (
            {"broker": {"type": "pika"}, "url": "localhost"},
            "event_broker.url: stands beside 'broker'; move it in there",
        ),
        (
            {"broker": {"type": "pika"}, "broker_type": "kafka"},
            "event_broker.broker_type: stands beside 'broker'; move it in there",
        ),
        (
            {"broker": {"type": "pika"}, "delivery": {}},
            "event_broker.delivery: stands beside 'broker'; move it in there",
        ),
        ({"broker": "kafka"}, "event_broker.broker: must hold options, such as type: kafka"),
        ({"broker": {1: 2}}, "event_broker.broker: the key 1 is not text"),
        ({"broker_type": 5}, "event_broker.broker_type: 5 is not text"),
        (
            {"broker": {"type": "pikka"}},
            "event_broker.broker.type: no plugin serves 'pikka'; did you mean 'pika'? installed: ",
        ),
        (
            {"broker_type": "pika", "ca_file": "ca.pem"},
            "event_broker.ca_file: unknown option of 'pika'; did you mean 'ssl_cafile'?",
        ),
    ],
)
def test_a_mistake_stops_rasa_with_one_sentence(section: dict[str, Any], expected: str) -> None:
    """Rasa does not go on without a broker, and its owner reads which option it is."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(section)
    assert str(caught.value).startswith(expected)


def test_a_plugin_that_is_not_installed_stops_rasa(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although Python's own word for that would be one that Rasa swallows."""
    monkeypatch.setattr(plugins, "registrations", lambda *_: [])
    with pytest.raises(ConfigurationError) as caught:
        loaded({"broker_type": "kafka"})
    assert str(caught.value) == (
        "event_broker.broker_type: 'kafka' is not installed; pip install event-brokers-kafka"
    )


@pytest.mark.parametrize("error", [AttributeError("no such thing"), ImportError("no such module")])
def test_no_error_is_one_that_rasa_swallows(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one that a plugin's author did not foresee."""

    class Faulty(Options, frozen=True, kw_only=True):
        def __post_init__(self) -> None:
            raise error

    class FaultyPlugin(MemoryBroker):
        @hookimpl
        def options(self) -> type[Options]:
            return Faulty

    monkeypatch.setattr(plugins, "load", lambda name: Plugin(name, "faulty 1.0", FaultyPlugin()))
    with pytest.raises(PluginError, match=f"event_broker: {type(error).__name__}: no such"):
        loaded({"broker_type": "faulty"})


def test_a_broker_that_hangs_holds_up_no_conversation() -> None:
    """`publish` comes back while the broker is in the midst of a batch, and all arrives later."""
    memory = MemoryBroker()
    memory.hang()
    broker = RasaEventBroker(memory.settings(exit_timeout=60))
    broker.publish({"n": 0})
    wait_until(lambda: memory.batches)
    stream(broker, [{"n": number} for number in range(1, 1000)])
    assert memory.arrived == []
    memory.answer()
    close(broker)
    assert bodies(memory) == list(range(1000))


def bodies(memory: MemoryBroker) -> list[int]:
    """Return the numbers of the events that were stored, in order."""
    return [json.loads(event.body)["n"] for event in memory.arrived]


class Disk:
    """Stands between a program and its spool, and lets it wait or fail as a disk can.

    Attributes:
        gate: while it is cleared, a commit does not come back.
        failures: what the next commits raise.
    """

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.failures: list[SpoolError] = []
        self.commits = 0
        self._append = Spool.append

    def append(self, spool: Spool, events: Sequence[Event], timeout: float) -> None:
        """Append when the gate is open."""
        self.commits += 1
        self.gate.wait(60)
        if self.failures:
            raise self.failures.pop(0)
        self._append(spool, events, timeout)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk of every spool."""
    disk = Disk()

    def append(spool: Spool, events: Sequence[Event], timeout: float) -> None:
        disk.append(spool, events, timeout)

    monkeypatch.setattr(Spool, "append", append)
    return disk


def test_a_disk_that_hangs_holds_up_no_conversation(tmp_path: Path, disk: Disk) -> None:
    """With a spool, too: nothing was committed when `publish` is back; order and all are kept."""
    memory = MemoryBroker()
    disk.gate.clear()
    broker = RasaEventBroker(memory.settings(spool=str(tmp_path / "spool"), exit_timeout=60))
    broker.publish({"n": 0})
    wait_until(lambda: disk.commits)
    stream(broker, [{"n": number} for number in range(1, 500)])
    assert memory.arrived == []
    closing_down = threading.Thread(target=close, args=[broker])
    closing_down.start()
    wait_until(lambda: not broker.is_ready())
    assert memory.arrived == []
    disk.gate.set()
    closing_down.join()
    assert bodies(memory) == list(range(500))


def test_a_disk_that_fails_is_tried_again(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says that it fails and why, one that it is over, and no event is lost."""
    caplog.set_level(logging.WARNING)
    memory = MemoryBroker()
    disk.failures = [SpoolError("'spool': the disk is full")] * 3
    broker = RasaEventBroker(memory.settings(spool=str(tmp_path / "spool"), exit_timeout=60))
    stream(broker, [{"n": number} for number in range(10)])
    close(broker)
    assert bodies(memory) == list(range(10))
    said = [message for message in caplog.messages if message.startswith("spool: ")]
    assert len(said) == 2
    assert said[0].startswith("spool: retrying: 'spool': the disk is full; next attempt in ")
    assert said[1].startswith("spool: recovered after ")
    assert broker.refused == 0


def test_a_full_spool_takes_what_it_has_room_for(tmp_path: Path) -> None:
    """What does not fit waits in memory, and goes in when there is room, in order."""
    memory = MemoryBroker()
    memory.hang()
    broker = RasaEventBroker(
        memory.settings(spool=str(tmp_path / "spool"), max_pending=10, exit_timeout=60)
    )
    stream(broker, [{"n": number} for number in range(7)])
    wait_until(lambda: broker._broker.status().pending == 7)
    wait_until(lambda: broker._entrance.status().pending == 0)
    stream(broker, [{"n": number} for number in range(7, 14)])
    wait_until(lambda: broker._broker.status().pending == 10)
    assert memory.arrived == []
    memory.answer()
    close(broker)
    assert bodies(memory) == list(range(14))


def test_what_cannot_be_accepted_is_counted_and_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full queue raises nothing into Rasa; one line at its beginning and one at its end."""
    caplog.set_level(logging.WARNING)
    memory = MemoryBroker()
    memory.hang()
    broker = RasaEventBroker(memory.settings(max_pending=2, exit_timeout=60))
    stream(broker, [{"n": number} for number in range(7)])
    broker.publish({"n": float("nan")})
    assert (broker.refused, broker.is_ready()) == (6, False)
    full = "2 events wait and delivery.max_pending is 2"
    assert caplog.messages == [
        f"memory: the event broker refuses events, and they are lost: {full}"
    ]
    memory.answer()
    wait_until(lambda: len(memory.arrived) == 2)
    broker.publish({"n": 7})
    assert not broker.is_ready()  # a queue that was full a moment ago is full again soon
    monkeypatch.setattr(rasa_broker, "OUTAGE_ENDS_AFTER_SECONDS", 0.0)
    wait_until(lambda: len(memory.arrived) == 3)
    broker.publish({"n": 8})
    assert broker.is_ready()
    (again,) = caplog.messages[1:]
    assert re.fullmatch(r"memory: accepts events again after \d+\.\d s; 6 were lost", again)
    with pytest.raises(UndeliveredEvents, match=r"6 events were not delivered: event\.n: NaN"):
        close(broker)
    assert bodies(memory) == [0, 1, 7, 8]


def test_an_event_after_the_end_raises_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A conversation that ends after the server's stop goes to its end."""
    broker = RasaEventBroker(MemoryBroker().settings())
    close(broker)
    broker.publish({"text": "canary"})
    assert broker.refused == 1
    assert "the broker is closed and takes no more events" in caplog.text
    assert "canary" not in caplog.text


def test_an_unforeseen_error_raises_nothing_and_shows_no_event(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is: the conversation goes on, and the log holds no body."""
    broker = RasaEventBroker(MemoryBroker().settings())

    def fail(events: Sequence[Event]) -> None:
        raise RuntimeError(f"cannot start a thread for {events[0].body!r}")

    monkeypatch.setattr(broker._entrance, "accept", fail)
    broker.publish({"text": "canary"})
    assert caplog.messages == [
        "memory: the event broker refuses events, and they are lost: RuntimeError"
    ]
    with pytest.raises(UndeliveredEvents, match="1 event was not delivered: RuntimeError"):
        close(broker)


def test_what_is_left_in_memory_at_the_end_is_an_error() -> None:
    """`rasa export` must not say that it has published what it has not."""
    memory = MemoryBroker()
    memory.connects.extend([event_brokers.BrokerUnavailable("nobody listens")] * 1000)
    broker = RasaEventBroker(memory.settings(exit_timeout=0.05))
    stream(broker, [{}, {}])
    wait_until(lambda: memory.opened)
    with pytest.raises(UndeliveredEvents, match="2 events were not delivered: nobody listens"):
        close(broker)


def test_what_is_left_in_the_spool_at_the_end_is_delivered_by_the_next(tmp_path: Path) -> None:
    """A broker that is down when Rasa stops has the events when Rasa starts again."""
    memory = MemoryBroker()
    memory.connects.extend([event_brokers.BrokerUnavailable("nobody listens")] * 1000)
    settings = memory.settings(spool=str(tmp_path / "spool"), exit_timeout=1)
    broker = RasaEventBroker(settings)
    stream(broker, [{"n": number} for number in range(100)])
    close(broker)
    assert memory.arrived == []
    memory.connects.clear()
    again = RasaEventBroker(settings)
    wait_until(lambda: len(memory.arrived) == 100)
    close(again)
    assert bodies(memory) == list(range(100))


def test_what_never_came_to_disk_is_an_error(tmp_path: Path, disk: Disk) -> None:
    """Such events are in memory alone, and end with the process."""
    memory = MemoryBroker()
    disk.failures = [SpoolError("'spool': the disk is full")] * 1000
    broker = RasaEventBroker(memory.settings(spool=str(tmp_path / "spool"), exit_timeout=0.05))
    stream(broker, [{}, {}])
    wait_until(lambda: disk.commits)
    with pytest.raises(UndeliveredEvents, match="2 events were not delivered: 'spool': the disk"):
        close(broker)


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_the_same_file_serves_the_commands_and_connect(commands: Commands, nested: bool) -> None:
    """Whoever uses Rasa has one endpoints.yml, and looks at it with our commands."""
    options = {"file": str(commands.arrived), "delivery": {"spool": str(commands.folder / "spool")}}
    inside = {"broker": {"type": "journal", **options}}
    beside = {"broker_type": "journal", **options}
    section = {"type": RASA_TYPE, **(inside if nested else beside)}
    (commands.folder / "endpoints.yml").write_text(json.dumps({"event_broker": section}))
    checked = commands.run("check")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.startswith(
        "endpoints.yml: valid, type 'journal' served by journal-broker 1.0\n"
    )
    assert commands.run("publish", commands.events({"n": 1})).code == 0
    assert commands.run("spool", "status").out.startswith("1 delivered\n")
    assert commands.read() == [{"n": 1}]


def test_a_mistake_in_the_file_has_its_line(tmp_path: Path) -> None:
    """The option is named as it stands there, with the mapping around it."""
    file = tmp_path / "endpoints.yml"
    for text, expected in [
        (
            f"event_broker:\n  type: {RASA_TYPE}\n  broker:\n    type: pika\n    prot: 1\n",
            ":5: event_broker.broker.prot: unknown option of 'pika'; did you mean 'port'?",
        ),
        (
            f"event_broker:\n  type: {RASA_TYPE}\n  broker_type: pikka\n",
            ":3: event_broker.broker_type: no plugin serves 'pikka'; did you mean 'pika'?",
        ),
    ]:
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError) as caught:
            event_brokers.connect(file)
        assert str(caught.value).startswith(f"{file}{expected}")


def test_rasa_has_one_room() -> None:
    """No other module of the core knows its name, but for the options that only Rasa Pro has."""
    core = Path(event_brokers.__file__).parent
    lines = {
        f"{path.relative_to(core)}: {line.strip()}"
        for path in core.rglob("*.py")
        if path.parent.name != "rasa"
        for line in path.read_text(encoding="utf-8").splitlines()
        if "rasa" in line.casefold().replace("_rasa_pro", "").replace("only rasa pro", "")
    }
    assert lines == set()


def test_a_section_for_rasa_is_read_without_the_broker_for_it() -> None:
    """What stands above is not imported by what stands below."""
    program = """
import sys
from event_brokers import endpoints
section = {"type": "event_brokers.rasa.RasaEventBroker", "broker_type": "sql"}
assert endpoints.read(section).plugin.type == "sql"
assert "event_brokers.rasa.broker" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
