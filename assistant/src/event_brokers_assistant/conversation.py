"""A conversation in the terminal: lines in, answers out."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from event_brokers import InvalidEvent
from event_brokers.cli.output import Output
from event_brokers.cli.stop_signals import Stopped, StopSignals
from event_brokers_assistant import session
from event_brokers_assistant.agent import Agent
from event_brokers_assistant.errors import ModelError, TrackerStoreError
from event_brokers_assistant.model import Message
from event_brokers_assistant.stores import stored_event
from event_brokers_assistant.tracker import NewEvent

_CHANNEL = "cmdline"  # Rasa's name for it
_STOP = "/stop"


@dataclass(frozen=True)
class Asked:
    """What a command line asks for.

    Attributes:
        endpoints_file: as given, or the default, which may be missing.
        model: as given; None for the echo bot.
        sender_id: the conversation to go on with.
        show_events: whether the events of each turn are shown.
        timeout: seconds that the end waits for delivery.
    """

    endpoints_file: str
    model: str | None
    sender_id: str
    show_events: bool
    timeout: float


def hold(output: Output, asked: Asked) -> int:
    """Talk until somebody ends it, and return the code to end with.

    Parameters:
        output: gets the answers, and the counts at the end.
        asked: what the command line asks for.

    Raises:
        ConfigurationError: the file cannot be used.
        CommandFailed: the assistant cannot be opened.
    """
    with StopSignals() as signals:
        assistant = session.open_assistant(output, asked.endpoints_file, asked.model)
        session.introduce(output, assistant)
        conversation = _Conversation(output, assistant.agent, asked)
        try:
            with signals.interruptible():
                conversation.hold()
        except Stopped:
            output.say("")
        finally:
            code = session.end(output, assistant, asked.timeout)
    return code


class _Conversation:
    def __init__(self, output: Output, agent: Agent, asked: Asked) -> None:
        self._output = output
        self._agent = agent
        self._sender_id = asked.sender_id
        self._show_events = asked.show_events

    def hold(self) -> None:
        loop = asyncio.new_event_loop()
        try:
            for text in _lines():
                loop.run_until_complete(self._turn(text))
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    async def _turn(self, text: str) -> None:
        before = len((await self._agent.tracker(self._sender_id)).events)
        try:
            answers = await self._agent.handle_message(Message(text, self._sender_id, _CHANNEL))
        except (ModelError, TrackerStoreError, InvalidEvent) as error:
            self._output.fail(error, str(error))
        else:
            for answer in answers:
                for line in _lines_of(answer):
                    self._output.say(f"bot> {line}")
        if self._show_events:
            await self._show(before)

    async def _show(self, before: int) -> None:
        tracker = await self._agent.tracker(self._sender_id)
        for event in tracker.events[before:]:
            body = stored_event(self._sender_id, NewEvent("shown", event)).body.decode()
            self._output.say_json(body, dim=True)


def _lines() -> Iterator[str]:
    interactive = sys.stdin.isatty()
    while True:
        if interactive:
            click.echo("you> ", nl=False)
        line = sys.stdin.readline()
        text = line.strip()
        if not line or text == _STOP:
            return
        if text:
            yield text


def _lines_of(answer: dict[str, Any]) -> list[str]:
    rest = {name: value for name, value in answer.items() if name not in ("recipient_id", "text")}
    lines = str(answer["text"]).split("\n") if answer.get("text") else []
    return [*lines, json.dumps(rest, ensure_ascii=False)] if rest else lines
