"""Talk to a running assistant over HTTP: python examples/talk.py URL "hi" "2" "Ada".

Uses the standard library alone, as any client of Rasa's REST channel could.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any
from urllib.request import Request, urlopen


def main(url: str, texts: Sequence[str]) -> None:
    """Say one text after the other, and print what the bot answers."""
    for text in texts:
        print(f"you> {text}")
        for answer in _say(url, text):
            print(f"bot> {answer['text']}")


def _say(url: str, text: str) -> list[dict[str, Any]]:
    body = json.dumps({"sender": "guest-7", "message": text}).encode()
    with urlopen(Request(f"{url}/webhooks/rest/webhook", data=body), timeout=10) as answered:
        answers: list[dict[str, Any]] = json.load(answered)
    return answers


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
