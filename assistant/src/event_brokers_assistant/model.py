"""The model: a Python function that answers; where it is found, and what its answers mean."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from event_brokers import Event as JSONEvent
from event_brokers import InvalidEvent
from event_brokers.wording import did_you_mean
from event_brokers_assistant.errors import ModelError
from event_brokers_assistant.events import BotUttered, Event
from event_brokers_assistant.nesting import is_deeper
from event_brokers_assistant.tracker import DialogueStateTracker

# what a message of the bot may hold beside its text, as Rasa orders it
BOT_DATA = ("elements", "quick_replies", "buttons", "attachment", "image", "custom")
_DEEPEST = 200  # more than what a user can send, which a model may repeat inside its answer
_AT_ONCE = 1000  # models that think at the same time; a thread is made when it is needed
_NAME = "model"
_FILE = "agent.py"


class Message(msgspec.Struct, frozen=True):
    """What a user said.

    Attributes:
        text: the words.
        sender_id: the conversation.
        input_channel: by which it came, such as "rest"; None where nobody said.
        metadata: what came with it.
        parse_data: what somebody has understood already; None where nobody has.
    """

    text: str
    sender_id: str = "default"
    input_channel: str | None = None
    metadata: dict[str, Any] = {}
    parse_data: dict[str, Any] | None = None


Model = Callable[[DialogueStateTracker, Message], Any]
"""A model is any callable, sync or async, that is given the tracker and the message.

The tracker knows the message already. The model returns, or yields, one or several of:

- a text, which the bot says;
- a dictionary, a message with `text` and any of `buttons`, `image`, `attachment`, `custom`,
  `elements`, `quick_replies` and `metadata`, as in Rasa's responses;
- an event of `event_brokers_assistant.events`, such as `SlotSet("name", "Ada")`;
- None, for nothing.

A sync model runs in a thread of its own and may take its time. Calls for one conversation follow
each other; calls for several run at once. What it raises fails that one message.
"""


def echo(_tracker: DialogueStateTracker, message: Message) -> str:
    """Answer as the bot that runs where no model was given."""
    return f"I am an echo bot, for no model was given. You said: {message.text}"


def load_model(where: str) -> Model:
    """Return the model that a command names.

    Parameters:
        where: a Python file, a folder with `agent.py`, both of which define `model`, or
            `module:attribute`.

    Raises:
        ModelError: it is not there, cannot be imported, or is not callable.
    """
    path = Path(where)
    if path.is_dir():
        path /= _FILE
        if not path.is_file():
            raise ModelError(f"--model: the folder '{where}' has no {_FILE}")
    if path.is_file():
        return _callable(_module_of_file(path), _NAME, str(path))
    name, colon, attribute = where.partition(":")
    if not colon or where.endswith(".py"):
        raise ModelError(
            f"--model: no file or folder '{where}'; give a Python file, a folder with {_FILE}, "
            "or module:attribute"
        )
    return _callable(_module(name, where), attribute or _NAME, where)


async def ask(model: Model, tracker: DialogueStateTracker, message: Message) -> list[Event]:
    """Return the events that a model answers with.

    Parameters:
        model: the model.
        tracker: of the conversation.
        message: what was said.

    Raises:
        ModelError: the model raised, or what it returned is no answer.
    """
    try:
        answers = await _call(model, tracker, message)
    except Exception as error:
        # its text is not ours, and may hold what somebody said
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        raise ModelError(f"the model raised {type(error).__name__} at {where}") from error
    return [_event(answer) for answer in answers if answer is not None]


def as_message(sender_id: str, event: BotUttered) -> dict[str, Any]:
    """Return what the bot said as Rasa's REST channel answers it.

    Parameters:
        sender_id: to whom.
        event: what was said.
    """
    said = {"text": event.text, **event.data}
    return {"recipient_id": sender_id} | {name: value for name, value in said.items() if value}


def _module_of_file(path: Path) -> ModuleType:
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # a model may import what lies beside it
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ModelError(f"--model: '{path}' is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    return _import(lambda: spec.loader.exec_module(module) or module, str(path))  # type: ignore[union-attr]


def _module(name: str, where: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.insert(0, "")
    return _import(lambda: importlib.import_module(name), where)


def _import(load: Callable[[], ModuleType], where: str) -> ModuleType:
    try:
        return load()
    except Exception as error:
        raise ModelError(
            f"--model: '{where}' cannot be imported: {type(error).__name__}: {error}"
        ) from error


def _callable(module: ModuleType, attribute: str, where: str) -> Model:
    model = getattr(module, attribute, None)
    if model is None:
        near = did_you_mean(attribute, vars(module))
        raise ModelError(f"--model: '{where}' defines no '{attribute}'{near}")
    if not callable(model):
        raise ModelError(f"--model: '{attribute}' of '{where}' cannot be called")
    return model  # type: ignore[no-any-return]


def _new_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="model")


_threads = _new_threads()


def _forget_threads_after_fork() -> None:
    global _threads
    _threads = _new_threads()


if hasattr(os, "register_at_fork"):  # Windows knows no fork
    os.register_at_fork(after_in_child=_forget_threads_after_fork)


async def _call(model: Model, tracker: DialogueStateTracker, message: Message) -> list[Any]:
    if _is_async(model):
        answer = model(tracker, message)
    else:
        # not on asyncio's own few threads: while models think, conversations are read and saved
        call = partial(copy_context().run, _call_in_thread, model, tracker, message)
        answer = await asyncio.get_running_loop().run_in_executor(_threads, call)
    if inspect.isasyncgen(answer):
        return [each async for each in answer]
    if inspect.isawaitable(answer):
        answer = await answer
    return _list_answers(answer)


def _call_in_thread(model: Model, tracker: DialogueStateTracker, message: Message) -> Any:
    answer = model(tracker, message)
    # a generator does its work while it is read, so that belongs into the thread, too
    return list(answer) if inspect.isgenerator(answer) else answer


def _is_async(model: Model) -> bool:
    return any(
        inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each)
        for each in (model, getattr(model, "__call__", None))  # noqa: B004 - may be an object
    )


def _list_answers(answer: Any) -> list[Any]:
    if isinstance(answer, (str, Mapping, Event)) or not isinstance(answer, Iterable):
        return [answer]
    return list(answer)


def _event(answer: Any) -> Event:
    if isinstance(answer, str):
        answer = {"text": answer}
    event = _make_utterance(answer) if isinstance(answer, Mapping) else answer
    if not isinstance(event, Event):
        raise ModelError(
            f"the model answered with {type(answer).__name__}; give text, a dictionary with "
            "text, or an event such as SlotSet"
        )
    written = event.to_dict()
    if is_deeper(written, _DEEPEST):
        raise ModelError(f"the model's answer is nested more than {_DEEPEST} deep")
    try:
        JSONEvent.from_dict(written)
    except InvalidEvent as error:
        raise ModelError(f"the model's answer cannot be streamed: {error}") from error
    return event


def _make_utterance(answer: Mapping[str, Any]) -> BotUttered:
    known = ("text", "metadata", *BOT_DATA)
    for name in answer:
        if name not in known:
            near = did_you_mean(str(name), known)
            raise ModelError(f"the model answered with a message that has '{name}'{near}")
    data = {name: answer.get(name) for name in BOT_DATA}
    return BotUttered(answer.get("text"), data, metadata=dict(answer.get("metadata") or {}))
