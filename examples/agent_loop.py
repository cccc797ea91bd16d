"""An agent that streams what is said to one broker, and what its tools do to another one.

    python examples/agent_loop.py --messages kafka.yml --tool-calls sqlite.yml "is Friday free?"

The model is behind any server that speaks the chat completions of OpenAI's API.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import uuid
from typing import Any
from urllib.request import Request, urlopen

import event_brokers
from event_brokers import EventBroker

FREE_TABLES = {"friday": 3, "saturday": 0}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "count_free_tables",
            "description": "How many tables are free on a day",
            "parameters": {
                "type": "object",
                "properties": {"day": {"type": "string"}},
                "required": ["day"],
            },
        },
    }
]
MOST_TURNS = 10  # of the model, which might call tools for ever


def main() -> None:
    """Answer one question."""
    given = _arguments()
    with (
        event_brokers.connect(given.messages, name="messages") as messages,
        event_brokers.connect(given.tool_calls, name="tool calls") as tool_calls,
    ):
        print(Agent(given.url, given.model, messages, tool_calls).answer(given.question))


class Agent:
    """Asks the model, and does what it asks for, until it answers.

    Parameters:
        url: of the server of the model, such as http://localhost:11434/v1.
        model: its name there.
        messages: takes what is said.
        tool_calls: takes what tools were asked, and what they answered.
    """

    def __init__(
        self, url: str, model: str, messages: EventBroker, tool_calls: EventBroker
    ) -> None:
        self._url = f"{url}/chat/completions"
        self._model = model
        self._messages = messages
        self._tool_calls = tool_calls
        self._sender_id = str(uuid.uuid4())

    def answer(self, question: str) -> str:
        """Return the answer to a question."""
        history: list[dict[str, Any]] = [{"role": "user", "content": question}]
        self._publish(self._messages, {"event": "user", "text": question})
        for _ in range(MOST_TURNS):
            reply = self._ask(history)
            history.append(reply)
            if not reply.get("tool_calls"):
                self._publish(self._messages, {"event": "bot", "text": reply["content"]})
                return str(reply["content"])
            history += [self._call(call) for call in reply["tool_calls"]]
        raise RuntimeError(f"no answer after {MOST_TURNS} turns")

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        name, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
        result = str(FREE_TABLES.get(arguments["day"].casefold(), 0))
        event = {"event": "tool_call", "name": name, "arguments": arguments, "result": result}
        self._publish(self._tool_calls, event)
        return {"role": "tool", "tool_call_id": call["id"], "content": result}

    def _ask(self, history: list[dict[str, Any]]) -> dict[str, Any]:
        body = {"model": self._model, "messages": history, "tools": TOOLS}
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}",
        }
        with urlopen(Request(self._url, json.dumps(body).encode(), headers), timeout=60) as answer:
            reply: dict[str, Any] = json.load(answer)["choices"][0]["message"]
        return reply

    def _publish(self, broker: EventBroker, event: dict[str, Any]) -> None:
        broker.publish({"sender_id": self._sender_id, "timestamp": time.time(), **event})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("question")
    parser.add_argument("--url", default="http://localhost:11434/v1", help="server of the model")
    parser.add_argument("--model", default="llama3.2")
    parser.add_argument("--messages", default="kafka.yml", help="broker of what is said")
    parser.add_argument("--tool-calls", default="sqlite.yml", help="broker of what tools do")
    return parser.parse_args()


if __name__ == "__main__":
    main()
