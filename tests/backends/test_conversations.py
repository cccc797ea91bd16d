"""Whole conversations over HTTP, read back from every real broker with its plain client."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import httpx2
import pytest

from command import Commands
from event_brokers import EventBroker
from event_brokers_assistant import Agent, InMemoryTrackerStore
from event_brokers_file import FileProducer
from event_brokers_kafka import KafkaProducer
from event_brokers_pika import PikaProducer
from event_brokers_sql import SQLProducer
from running_assistant import WEBHOOK, RunningAssistant
from servers.backends import Arrived, Backend
from waiting import wait_until

BOT = """
from event_brokers_assistant.events import SlotSet
def model(tracker, message):
    count = (tracker.get_slot("count") or 0) + 1
    yield SlotSet("count", count)
    yield f"{message.sender_id}: {count}. Grüezi! 🙂 {message.text}"
"""
TURNS = 20
ORIGINALS = ("pika", "kafka", "sql")


@pytest.fixture
def bot(commands: Commands) -> str:
    """Return the file of a bot that counts the turns of each conversation."""
    (commands.folder / "agent.py").write_text(BOT, encoding="utf-8")
    return "agent.py"


def bodies(arrived: list[Arrived]) -> list[dict[str, Any]]:
    """Return the dictionaries, each event once: what was sent twice has the same id."""
    return [json.loads(body) for body in {each.event_id: each.body for each in arrived}.values()]


def test_a_conversation_leaves_exactly_its_events(
    backend: Backend, commands: Commands, bot: str
) -> None:
    """Twenty turns: what the plain client reads is what the tracker shows, in order, equal."""
    with RunningAssistant(commands, {"event_broker": backend.section}, "-m", bot) as assistant:
        for turn in range(TURNS):
            assistant.say(f"turn {turn}", "me")
        shown = assistant.events("me")
        assert assistant.stop().code == 0
    assert len(shown) == 3 + 4 * TURNS
    assert [json.loads(each.body) for each in backend.read()] == shown


def test_a_broker_that_stops_stops_no_conversation(
    backend: Backend, commands: Commands, bot: str
) -> None:
    """Away during turns 5 to 15: every turn is answered, and nothing is missing afterwards."""
    if backend.server is None:
        pytest.skip("a file does not stop")
    with RunningAssistant(commands, {"event_broker": backend.section}, "-m", bot) as assistant:
        for turn in range(TURNS):
            if turn == 5:
                backend.server.kill()
            if turn == 15:
                assert assistant.client.get("/healthz").status_code == 200
                backend.server.recover()
            (answer,) = assistant.say(f"turn {turn}", "me")
            assert answer["text"].startswith(f"me: {turn + 1}. ")
        shown = assistant.events("me")
        wait_until(lambda: _pending(assistant) == 0, timeout=90)
        assert assistant.stop().code == 0
    assert bodies(backend.read()) == shown


def test_many_conversations_at_once_lose_and_swap_nothing(
    backend: Backend, commands: Commands, bot: str
) -> None:
    """Two hundred of them: each arrives whole, in its own order."""
    senders, turns = [f"sender-{number}" for number in range(200)], 3

    async def talk(url: str) -> None:
        limits = httpx2.Limits(max_connections=200)
        async with httpx2.AsyncClient(
            base_url=url, timeout=120, limits=limits, trust_env=False
        ) as client:
            await asyncio.gather(*(_converse(client, sender, turns) for sender in senders))

    with RunningAssistant(commands, {"event_broker": backend.section}, "-m", bot) as assistant:
        asyncio.run(talk(assistant.url))
        shown = {sender: assistant.events(sender) for sender in senders}
        assert assistant.stop().code == 0
    arrived = bodies(backend.read())
    assert len(arrived) == len(senders) * (3 + 4 * turns)
    for sender in senders:
        assert [body for body in arrived if body["sender_id"] == sender] == shown[sender]


def test_a_killed_assistant_goes_on_where_it_was(
    backend: Backend, commands: Commands, bot: str
) -> None:
    """SQL store and spool, killed in mid-conversation again and again: all agree afterwards."""
    endpoints = {
        "event_broker": {**backend.section, "delivery": {"spool": "events.spool"}},
        "tracker_store": {"type": "SQL", "db": "tracker.db"},
    }
    chance = random.Random(5)
    with RunningAssistant(commands, endpoints, "-m", bot) as assistant:
        for _ in range(4):
            asyncio.run(_talk_until_killed(assistant, chance.uniform(0.05, 0.4)))
            assistant.start()
        senders = [f"sender-{number}" for number in range(5)]
        for sender in senders:
            assistant.say("the last one", sender)
        shown = {sender: assistant.events(sender) for sender in senders}
        wait_until(lambda: _pending(assistant) == 0, timeout=90)
        assert assistant.client.get("/status").json()["tracker_store"]["due"] == 0
        assert assistant.stop().code == 0
    arrived = bodies(backend.read())
    for sender in senders:
        assert [body for body in arrived if body["sender_id"] == sender] == shown[sender]
    assert len(arrived) == sum(map(len, shown.values()))


def test_the_lines_of_the_original_documentation_work(backend: Backend) -> None:
    """A store in memory, with the broker as a keyword and `db=` beside it."""
    section = dict(backend.section)
    type_name = section.pop("type").casefold()
    if type_name not in ORIGINALS:
        pytest.skip("the original has no such broker")
    broker = _producer(type_name, section)
    tracker_store = InMemoryTrackerStore(db=object(), event_broker=broker)
    agent = Agent(tracker_store=tracker_store)
    asyncio.run(agent.handle_text("hi"))
    broker.close()
    tracker = tracker_store.retrieve("default")
    assert tracker is not None
    assert [json.loads(each.body) for each in backend.read()] == [
        {"sender_id": "default", **event.to_dict()} for event in tracker.events
    ]


def _producer(type_name: str, options: dict[str, Any]) -> EventBroker:
    """Return the original's class, called as its documentation does."""
    if type_name == "pika":
        place = (options.pop("url"), options.pop("username"), options.pop("password"))
        return PikaProducer(*place, **options)
    if type_name == "kafka":
        # several hosts, as the original's list, one of which does not listen
        return KafkaProducer(host=["127.0.0.1:1", options.pop("url")], **options)
    if type_name == "file":
        return FileProducer(**options)
    host = {"host": options.pop("url")} if "url" in options else {}
    return SQLProducer(**options, **host)


async def _converse(client: httpx2.AsyncClient, sender: str, turns: int) -> None:
    for turn in range(turns):
        answered = await client.post(WEBHOOK, json={"sender": sender, "message": f"{turn}"})
        (answer,) = answered.json()
        assert answer["recipient_id"] == sender
        assert answer["text"].startswith(f"{sender}: {turn + 1}. ")


async def _talk_until_killed(assistant: RunningAssistant, seconds: float) -> None:
    """Talk in five conversations, and kill the server amid of them."""

    async def talk(sender: str) -> None:
        async with httpx2.AsyncClient(base_url=assistant.url, trust_env=False) as client:
            while True:
                try:
                    await client.post(WEBHOOK, json={"sender": sender, "message": "hi"})
                except httpx2.TransportError:
                    return  # it was killed

    talking = [asyncio.create_task(talk(f"sender-{number}")) for number in range(5)]
    await asyncio.sleep(seconds)
    await asyncio.to_thread(assistant.kill)
    await asyncio.gather(*talking)


def _pending(assistant: RunningAssistant) -> int:
    status = assistant.client.get("/status").json()
    return int(status["broker"]["pending"]) + int(status["tracker_store"]["due"])
