"""`event-brokers run` as a process of its own, and what a user of its HTTP API sees."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httpx2
import yaml

from command import Commands, Ended, ended

WEBHOOK = "/webhooks/rest/webhook"


class RunningAssistant:
    """A server on a free port, from its start to its end.

    Parameters:
        commands: the folder it runs in; its endpoints.yml is written here.
        endpoints: the sections of endpoints.yml.
        words: further words of the command line.
        options: of the process, as for `Commands.start`.
    """

    def __init__(
        self, commands: Commands, endpoints: Mapping[str, Any], *words: str, **options: Any
    ) -> None:
        text = yaml.safe_dump(dict(endpoints)) if endpoints else "{}\n"
        (commands.folder / "endpoints.yml").write_text(text, encoding="utf-8")
        self._commands = commands
        self._words = ("run", "--endpoints", "endpoints.yml", "--port", "0", *words)
        # what it complains of goes to the test's own output: nobody reads a pipe meanwhile
        self._options = {"stderr": None, **options}
        self.start()

    def start(self) -> None:
        """Start the process, and return when it listens."""
        self._process = self._commands.start(*self._words, **self._options)
        self.lines: list[str] = []
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("listening at "):
                break
        else:
            raise AssertionError(f"it ended with {self._process.wait(10)}: {self.lines}")
        self.url = self.lines[-1].removeprefix("listening at ")
        self.client = httpx2.Client(base_url=self.url, timeout=60, trust_env=False)

    def say(self, text: str, sender: str = "default") -> list[dict[str, Any]]:
        """Say something to the bot, and return what it answers."""
        answered = self.client.post(WEBHOOK, json={"sender": sender, "message": text})
        assert answered.status_code == 200, answered.text
        found: list[dict[str, Any]] = answered.json()
        return found

    def events(self, sender: str = "default") -> list[dict[str, Any]]:
        """Return the events of a conversation, with `sender_id` as in the stream."""
        shown = self.client.get(f"/conversations/{sender}/tracker?include_events=ALL").json()
        return [{"sender_id": sender, **event} for event in shown["events"]]

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.client.close()
        self._process.kill()
        ended(self._process)

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        self._process.send_signal(number)

    def end(self) -> Ended:
        """Wait for the end of the process."""
        self.client.close()
        return ended(self._process)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> Ended:
        """Ask the process to end, and wait until it has."""
        self.send(number)
        return self.end()

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process."""
        return self._process

    def __enter__(self) -> RunningAssistant:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.client.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
