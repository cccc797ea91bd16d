"""The agent: models of every kind, one message at a time in each conversation."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from event_brokers import InvalidEvent
from event_brokers_assistant import Agent, DialogueStateTracker, Message, ModelError
from event_brokers_assistant.events import (
    ConversationPaused,
    ConversationResumed,
    Restarted,
    SlotSet,
    UserUttered,
)
from event_brokers_assistant.model import load_model

Tracker = DialogueStateTracker


def types(agent: Agent, sender_id: str = "default") -> list[str]:
    """Return the types of a conversation's events."""
    tracker = agent.tracker_store.retrieve(sender_id)
    return [event.type for event in tracker.events] if tracker else []


def texts(answers: list[dict[str, Any]]) -> list[Any]:
    """Return what the bot said."""
    return [answer.get("text") for answer in answers]


def test_without_a_model_an_echo_bot_says_that_it_is_one() -> None:
    """Nobody takes it for a broken model."""
    (answer,) = asyncio.run(Agent().handle_text("hi"))
    assert answer["recipient_id"] == "default"
    assert "echo bot" in answer["text"]
    assert answer["text"].endswith("hi")


def test_a_conversation_begins_and_goes_on_as_in_rasa() -> None:
    """A session first, then the message, what the model did, and listening."""
    agent = Agent(lambda _tracker, message: [SlotSet("x", 1), f"you said {message.text}"])
    asyncio.run(agent.handle_text("one", metadata={"k": 1}))
    assert types(agent) == [
        "action", "session_started", "action", "user", "slot", "bot", "action",
    ]  # fmt: skip
    asyncio.run(agent.handle_text("two"))
    assert types(agent)[7:] == ["user", "slot", "bot", "action"]
    tracker = agent.tracker_store.retrieve("default")
    assert tracker is not None
    said = tracker.events[3]
    assert isinstance(said, UserUttered)
    assert (said.text, said.metadata) == ("one", {"k": 1})
    assert said.message_id


async def _async(_tracker: Tracker, _message: Message) -> list[str]:
    return ["a", "b"]


async def _async_generator(_tracker: Tracker, _message: Message) -> AsyncIterator[str]:
    yield "a"
    yield "b"


def _generator(_tracker: Tracker, _message: Message) -> Iterator[str | None]:
    yield "a"
    yield None
    yield "b"


class _Object:
    async def __call__(self, _tracker: Tracker, _message: Message) -> list[str]:
        return ["a", "b"]


@pytest.mark.parametrize(
    "model",
    [
        lambda _tracker, _message: ["a", "b"],
        lambda _tracker, _message: ("a", {"text": "b"}),
        _async,
        _async_generator,
        _generator,
        _Object(),
        partial(_async),
    ],
    ids=["list", "tuple", "async", "async generator", "generator", "object", "partial"],
)
def test_a_model_may_be_any_callable(model: Any) -> None:
    """Sync or async, that returns or yields."""
    assert texts(asyncio.run(Agent(model).handle_text("hi"))) == ["a", "b"]


@pytest.mark.parametrize("answer", [None, [], ()])
def test_a_model_may_say_nothing(answer: Any) -> None:
    """Silence is an answer."""
    assert asyncio.run(Agent(lambda _tracker, _message: answer).handle_text("hi")) == []


def test_a_message_has_what_rasas_have() -> None:
    """Buttons and the like are answered, and stand in the event as Rasa writes them."""
    buttons = [{"title": "Yes", "payload": "/yes"}]
    agent = Agent(lambda _t, _m: {"text": "Sure?", "buttons": buttons, "metadata": {"k": 1}})
    assert asyncio.run(agent.handle_text("hi")) == [
        {"recipient_id": "default", "text": "Sure?", "buttons": buttons}
    ]
    tracker = agent.tracker_store.retrieve("default")
    assert tracker is not None
    assert tracker.latest_bot_utterance is not None
    bot = tracker.latest_bot_utterance.to_dict()
    assert bot["metadata"] == {"k": 1}
    assert list(bot["data"]) == [
        "elements", "quick_replies", "buttons", "attachment", "image", "custom",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (5, "the model answered with int; give text, a dictionary with text, or an event"),
        ({"txt": "x"}, "the model answered with a message that has 'txt'; did you mean 'text'?"),
        (SlotSet("x", float("nan")), "the model's answer cannot be streamed: event.value: NaN"),
    ],
)
def test_an_answer_that_is_none_is_the_models_mistake(answer: Any, sentence: str) -> None:
    """The sentence says what to give; what the user said is saved."""
    agent = Agent(lambda _tracker, _message: answer)
    with pytest.raises(ModelError) as failed:
        asyncio.run(agent.handle_text("hi"))
    assert str(failed.value).startswith(sentence)
    assert types(agent)[-1] == "user"


def test_a_model_that_raises_fails_that_message_alone() -> None:
    """The cause is there for a developer, and the next message is answered."""

    def model(_tracker: Tracker, message: Message) -> str:
        if message.text == "bad":
            raise KeyError("secret words")
        return "fine"

    agent = Agent(model)
    with pytest.raises(ModelError, match="the model raised KeyError") as failed:
        asyncio.run(agent.handle_text("bad"))
    assert isinstance(failed.value.__cause__, KeyError)
    assert "secret" not in str(failed.value)
    assert texts(asyncio.run(agent.handle_text("good"))) == ["fine"]


def test_the_model_sees_the_message_in_the_tracker() -> None:
    """And what it remembered in the turns before."""

    def model(tracker: Tracker, message: Message) -> list[Any]:
        assert tracker.latest_message is not None
        assert tracker.latest_message.text == message.text
        count = (tracker.get_slot("count") or 0) + 1
        return [SlotSet("count", count), str(count)]

    agent = Agent(model)
    assert [texts(asyncio.run(agent.handle_text("x"))) for _ in range(3)] == [["1"], ["2"], ["3"]]


def test_one_conversation_at_a_time_and_many_at_once() -> None:
    """Messages of one sender wait for each other; those of others do not."""
    inside: list[str] = []
    most: list[int] = []

    async def model(_tracker: Tracker, message: Message) -> str:
        assert message.sender_id not in inside
        inside.append(message.sender_id)
        most.append(len(inside))
        for _ in range(20):
            await asyncio.sleep(0)
        inside.remove(message.sender_id)
        return message.text

    async def talk() -> None:
        agent = Agent(model)
        await asyncio.gather(
            *(agent.handle_text(str(number), f"s{number % 10}") for number in range(60))
        )
        for sender in range(10):
            tracker = agent.tracker_store.retrieve(f"s{sender}")
            assert tracker is not None
            said = [event.text for event in tracker.events if isinstance(event, UserUttered)]
            assert said == [str(number) for number in range(sender, 60, 10)]
        assert len(agent._locks) == 0

    asyncio.run(talk())
    assert max(most) > 1


def test_a_sync_model_that_takes_its_time_holds_up_nobody_else() -> None:
    """It runs in a thread, and the event loop goes on."""
    gate = threading.Event()

    def model(_tracker: Tracker, message: Message) -> str:
        if message.sender_id == "slow":
            gate.wait(20)
        return "done"

    async def talk() -> None:
        agent = Agent(model)
        slow = asyncio.create_task(agent.handle_text("x", "slow"))
        assert texts(await agent.handle_text("x", "quick")) == ["done"]
        assert not slow.done()
        gate.set()
        assert texts(await slow) == ["done"]

    asyncio.run(talk())


def test_a_paused_conversation_is_logged_and_not_answered() -> None:
    """A person has taken over; the bot is silent until it is resumed."""
    agent = Agent(lambda _tracker, _message: "bot")
    asyncio.run(agent.append_events("default", [ConversationPaused()]))
    assert asyncio.run(agent.handle_text("hi")) == []
    assert types(agent)[-1] == "user"
    asyncio.run(agent.append_events("default", [ConversationResumed()]))
    assert texts(asyncio.run(agent.handle_text("hi"))) == ["bot"]


def test_after_a_restart_a_new_session_begins() -> None:
    """As in Rasa, with the next message."""
    agent = Agent(lambda _tracker, _message: Restarted())
    asyncio.run(agent.handle_text("one"))
    before = len(types(agent))
    asyncio.run(agent.handle_text("two"))
    assert types(agent)[before - 1 : before + 1] == ["action", "user"]


def test_a_message_that_json_cannot_say_is_refused() -> None:
    """Nothing of it is saved."""
    agent = Agent()
    with pytest.raises(InvalidEvent):
        asyncio.run(agent.handle_text("hi", metadata={"x": float("inf")}))
    assert types(agent) == []


@pytest.mark.parametrize("where", ["agent.py", "models", "models/agent.py", "bots:answer"])
def test_a_model_is_found_where_it_is_named(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file, a folder, a module with its attribute; each may import what lies beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *sys.path])
    (tmp_path / "models").mkdir()
    for folder in (tmp_path, tmp_path / "models"):
        (folder / "words.py").write_text("WORD = 'found'\n")
        (folder / "agent.py").write_text(
            "from words import WORD\ndef model(tracker, message): return WORD\n"
        )
    (tmp_path / "bots.py").write_text("def answer(tracker, message): return 'found'\n")
    assert texts(asyncio.run(Agent(load_model(where)).handle_text("hi"))) == ["found"]


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("nowhere", "--model: no file or folder 'nowhere'; give a Python file, a folder with"),
        ("nowhere.py", "--model: no file or folder 'nowhere.py'"),
        ("empty", "--model: the folder 'empty' has no agent.py"),
        ("other.py", "--model: 'other.py' defines no 'model'; did you mean 'modell'?"),
        ("number.py", "--model: 'model' of 'number.py' cannot be called"),
        ("broken.py", "--model: 'broken.py' cannot be imported: NameError: name 'oops'"),
        ("no_such_module:model", "--model: 'no_such_module:model' cannot be imported: Module"),
    ],
)
def test_a_model_that_is_none_is_named(
    where: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it was looked for, and what is wrong with what was found."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.py").write_text("def modell(tracker, message): return 'x'\n")
    (tmp_path / "number.py").write_text("model = 5\n")
    (tmp_path / "broken.py").write_text("oops\n")
    with pytest.raises(ModelError) as refused:
        load_model(where)
    assert str(refused.value).startswith(sentence)
