"""Rasa Pro's loader takes our broker, and what its Mantle runtime publishes keeps key, id and type.

Rasa Pro needs a licence, so its loader stands here as a copy of what it does: that of 3.21, in
rasa/core/brokers/broker.py and rasa/mantle/config/runtime_endpoints.py.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import event_brokers
from event_brokers import InvalidEvent
from event_brokers.rasa import RasaEventBroker as BrokerWithoutRasa
from event_brokers.rasa.events import event_from
from event_brokers.rasa.section import TYPE as RASA_TYPE
from event_brokers.testing import MemoryBroker
from rasas_loader import EndpointConfig as ConfigOfRasa3

USER = {
    "conversation_id": "default",
    "timestamp": 1790000000.25,
    "event_id": "0199d1f4-5c3a-7e0b-8a54-0d7c3f1e9a77",
    "sequence": 3,
    "user_id": None,
    "deployment_environment": "production",
    "session_id": "s-1",
    "metadata": None,
    "user": {"text": "hi", "parse_data": {}, "input_channel": "rest", "message_id": "m"},
}
PAYLOADS = ("user", "bot", "memory_set", "skill_activated", "session_started", "tool_executed")


class EventBroker:
    """What rasa/core/brokers/broker.py has as the base of every event broker."""

    engine_version = "calm"

    def conversation_key_name(self) -> str:
        """Return the name under which an event has its conversation."""
        return "conversation_id" if self.engine_version == "mantle" else "sender_id"

    @staticmethod
    async def create(obj: Any, loop: object = None) -> Any:
        """Return the broker that the section asks for."""
        del loop
        if isinstance(obj, EventBroker):
            return obj
        return await imported(obj.type).from_endpoint_config(obj)

    @classmethod
    async def from_endpoint_config(cls, broker_config: Any, event_loop: object = None) -> Any:
        """Return nothing: each class has its own."""
        raise NotImplementedError

    def publish(self, event: dict[str, Any]) -> None:
        """Publish nothing: each class has its own."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Return whether events are taken."""
        return True

    async def close(self) -> None:
        """Do nothing."""


class EndpointConfig(ConfigOfRasa3):
    """What Rasa Pro makes of a section; the constructor of its rasa/utils/endpoints.py."""

    def __init__(self, actions_module: object = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.actions_module = actions_module


def imported(name: str) -> Any:
    """Do as `class_from_module_path` of rasa/shared/utils/common.py."""
    module, _, class_name = name.rpartition(".")
    found = getattr(importlib.import_module(module), class_name, None)
    if found is None:
        raise ImportError(f"Cannot retrieve class from path {name}.")
    assert inspect.isclass(found)
    return found


def load(section: Mapping[str, Any]) -> Any:
    """Do as the loader of `integrations.yml`: refuse a foreign class, then make the broker."""
    found = imported(section["type"])
    if not issubclass(found, EventBroker):
        raise ValueError(f"'{section['type']}' must be a subclass of 'EventBroker'.")
    return asyncio.run(EventBroker.create(EndpointConfig(**section)))


@pytest.fixture
def rasa_pro(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Rasa Pro's module loaded, as it is when it loads us."""
    module = ModuleType("rasa.core.brokers.broker")
    vars(module)["EventBroker"] = EventBroker
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("rasa_pro")
def test_what_mantle_publishes_is_stored_once_with_its_key_and_type(tmp_path: Path) -> None:
    """Also what it publishes twice: its own id says that it is the same event."""
    database = tmp_path / "events.db"
    for _ in range(2):
        broker = load(
            {
                "type": RASA_TYPE,
                "broker_type": "sql",
                "dialect": "sqlite",
                "db": str(database),
            }
        )
        broker.engine_version = "mantle"  # as its tracker stores do
        assert broker.is_ready()
        assert broker.conversation_key_name() == "conversation_id"
        broker.publish(USER)
        broker.publish(USER)
        asyncio.run(broker.close())
    with closing(sqlite3.connect(database)) as opened:
        rows = opened.execute("SELECT event_id, sender_id, data FROM events").fetchall()
    ((event_id, sender_id, data),) = rows
    assert (event_id, sender_id) == (USER["event_id"], "default")
    assert json.loads(data) == USER


@pytest.mark.usefixtures("rasa_pro")
def test_the_class_derives_from_rasas_own_base_and_keeps_what_is_ours() -> None:
    """Although it was imported before; it is one class, and nothing of it is the base's default."""
    found = imported(RASA_TYPE)
    assert issubclass(found, EventBroker)
    assert issubclass(found, BrokerWithoutRasa)
    assert found is imported(RASA_TYPE)
    assert found.__qualname__ == BrokerWithoutRasa.__qualname__
    assert found.__doc__ == BrokerWithoutRasa.__doc__
    for name in ("from_endpoint_config", "publish", "is_ready", "close"):
        assert getattr(found, name).__qualname__ == f"RasaEventBroker.{name}"
    assert isinstance(found(MemoryBroker().settings()), EventBroker)


def test_without_rasa_the_class_stands_alone_and_nothing_of_rasa_is_imported() -> None:
    """The loader of 3.6 wants no base class; whoever has no Rasa needs none."""
    assert not issubclass(imported(RASA_TYPE), EventBroker)
    program = """
import sys
import event_brokers.rasa
event_brokers.rasa.RasaEventBroker
assert not [name for name in sys.modules if name.split(".")[0] == "rasa"]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_base_that_is_not_there_yet_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is in the midst of being loaded has no class, and ours stands alone."""
    monkeypatch.setitem(sys.modules, "rasa.core.brokers.broker", ModuleType("broker"))
    assert imported(RASA_TYPE) is BrokerWithoutRasa


@pytest.mark.parametrize("payload", PAYLOADS)
def test_key_id_and_type_come_from_the_envelope(payload: str) -> None:
    """And the body is what was published, nothing else."""
    published = {name: value for name, value in USER.items() if name != "user"} | {payload: {}}
    event = event_from(published)
    assert (event.sender_id, event.id, event.type) == ("default", USER["event_id"], payload)
    assert event.timestamp == USER["timestamp"]
    assert json.loads(event.body) == published


@pytest.mark.parametrize(
    "event_id", [None, "", " blank ", "x" * 256, "line\nbreak", 7, {}, "\ud800"]
)
def test_an_id_that_no_broker_takes_loses_no_event(event_id: Any) -> None:
    """It gets one of ours, as every event without an id."""
    published = {**USER, "event_id": event_id}
    if event_id == "\ud800":
        with pytest.raises(InvalidEvent, match="lone surrogate"):
            event_from(published)  # JSON has no word for the body, whatever the id
        return
    event = event_from(published)
    assert len(event.id) == 36
    assert event.id != event_from(published).id
    assert (event.sender_id, event.type) == ("default", "user")


@pytest.mark.parametrize("payloads", [{}, {"user": {}, "bot": {}}, {"user": "text"}])
def test_without_exactly_one_payload_there_is_no_type(payloads: dict[str, Any]) -> None:
    """None is guessed at."""
    envelope = {name: value for name, value in USER.items() if name != "user"}
    assert event_from({**envelope, **payloads}).type is None


@given(
    st.dictionaries(
        st.sampled_from(["conversation_id", "event_id", "event", "user", "timestamp", "x"]),
        st.none() | st.text("ab", max_size=3) | st.integers(0, 9) | st.just({}),
    ),
    st.text("ab", min_size=1, max_size=3) | st.integers(0, 9),
)
def test_an_event_with_a_sender_is_as_everywhere(
    rest: dict[str, Any], sender_id: str | int
) -> None:
    """Whatever else it holds: an id of its own making is given by nobody but Mantle."""
    published = {**rest, "sender_id": sender_id}
    event = event_from(published)
    assert event.sender_id == str(sender_id)
    assert event.id != rest.get("event_id")
    named = rest.get("event")
    assert event.type == (str(named) if isinstance(named, (str, int)) else None)
    assert json.loads(event.body) == published


def test_only_the_adapter_reads_the_envelope() -> None:
    """What an application publishes itself has the id and the type that it says."""
    broker = MemoryBroker()
    with event_brokers.EventBroker(broker.settings()) as direct:
        direct.publish(USER)
    (event,) = broker.arrived
    assert (event.sender_id, event.type) == (None, None)
    assert event.id != USER["event_id"]


def test_connect_reads_integrations_yml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among its other sections, whose variables need not be set."""
    monkeypatch.setenv("EVENTS", str(tmp_path / "events.db"))
    file = tmp_path / "integrations.yml"
    file.write_text(
        "channels:\n"
        "  rest: {}\n"
        "tracing:\n"
        "  type: jaeger\n"
        "  host: ${NOT_SET_ANYWHERE}\n"
        "event_broker:\n"
        f"  type: {RASA_TYPE}\n"
        "  broker_type: sql\n"
        "  dialect: sqlite\n"
        "  db: ${EVENTS}\n",
        encoding="utf-8",
    )
    with event_brokers.connect(file) as broker:
        broker.publish({"sender_id": "default", "event": "user"})
    with closing(sqlite3.connect(tmp_path / "events.db")) as opened:
        assert opened.execute("SELECT sender_id FROM events").fetchall() == [("default",)]
