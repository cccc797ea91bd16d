"""`event-brokers shell`: a conversation in the terminal."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from event_brokers import InvalidEvent
from event_brokers.cli.arguments import debug_option, endpoints_option, pass_output
from event_brokers.cli.output import Output
from event_brokers.cli.stop_signals import Stopped, StopSignals
from event_brokers_assistant.agent import Agent
from event_brokers_assistant.arguments import (
    end,
    introduce,
    model_option,
    open_assistant,
    timeout_option,
)
from event_brokers_assistant.errors import ModelError, TrackerStoreError
from event_brokers_assistant.model import Message
from event_brokers_assistant.stores import stored_event
from event_brokers_assistant.tracker import NewEvent

_CHANNEL = "cmdline"  # Rasa's name for it
_STOP = "/stop"


@click.command("shell")
@model_option
@endpoints_option
@click.option("--sender", default="default", show_default=True, metavar="ID",
              help="The conversation to go on with.")  # fmt: skip
@click.option("--events", "show_events", is_flag=True,
              help="Show the events of each turn, as they are streamed.")  # fmt: skip
@timeout_option
@debug_option
@pass_output
def command(  # noqa: PLR0913, PLR0917 - an argument for each option
    output: Output,
    model: str | None,
    endpoints_file: str,
    sender: str,
    show_events: bool,
    timeout: float,
) -> int:
    """Talk to the assistant in the terminal; /stop or Ctrl-D ends it."""
    with StopSignals() as signals:
        assistant = open_assistant(output, endpoints_file, model)
        introduce(output, assistant)
        conversation = _Conversation(output, assistant.agent, sender, show_events)
        try:
            with signals.interruptible():
                conversation.hold()
        except Stopped:
            output.say("")
        finally:
            code = end(output, assistant, timeout)
    return code


class _Conversation:
    """Lines in, answers out."""

    def __init__(self, output: Output, agent: Agent, sender_id: str, show_events: bool) -> None:
        self._output = output
        self._agent = agent
        self._sender_id = sender_id
        self._show_events = show_events

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
