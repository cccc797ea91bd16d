"""No secret and no event's body in any log, repr, error, traceback or output of the plugin."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from event_brokers.event import Event
from event_brokers.options import Options
from event_brokers.secret import secrets_in
from event_brokers.settings import Settings
from event_brokers.testing import contract
from event_brokers.testing.answers import Answers
from event_brokers.testing.check import check
from event_brokers.testing.contract import Line, hold
from event_brokers.testing.watched_output import WatchedOutput, watch_output

_SHORTEST = 6  # characters of a secret that cannot stand in a text by chance


class SecretChecks(Answers):
    """No secret and no event's body is shown."""

    @check("with_password")
    def test_no_password_is_shown_when_it_is_wrong(self) -> None:
        """A password with which signing in fails is in no log, repr, error or traceback."""
        canary = f"canary-{uuid.uuid4().hex}"
        options = self.with_password(canary)
        with self._watching([canary], contract.SECRETS) as output:
            settings = self.subject.settings(options)
            self._add_options(output, settings)
            self._hear(output, "connect", lambda: self.subject.connect(options))
            if self.subject.plugin.has("check"):
                self._hear(output, "check", lambda: self.subject.check(options))
            broker = self.subject.broker(options)
            self._hear_of_a_broker(output, broker, [Event.from_dict({})], timeout=1.0)

    @check()
    def test_no_secret_is_shown_while_all_is_well(self) -> None:
        """The secrets of the options are in no log, repr or output while events are delivered."""
        options = self.options()
        with self._watching(self._secrets(options), contract.SECRETS) as output:
            settings = self.subject.settings(options)
            self._add_options(output, settings)
            self._publish(output, options, [Event.from_dict({"mark": uuid.uuid4().hex})])

    @check()
    def test_no_body_is_shown_while_all_is_well(self) -> None:
        """What an event says is in no log, repr or output while it is delivered."""
        canary = f"canary-{uuid.uuid4().hex}"
        published = [Event.from_dict({"sender_id": "conformance", "text": canary})]
        with self._watching([canary], contract.NOTHING_SHOWN) as output:
            self._publish(output, self.options(), published)

    @check("refused_event")
    def test_no_body_is_shown_when_an_event_is_refused(self) -> None:
        """What a refused event says is in no log, error, traceback or reason."""
        canary = f"canary-{uuid.uuid4().hex}"
        refused = Event.from_dict({"canary": canary, **self.refused_event()})
        with self._watching([canary], contract.NOTHING_SHOWN) as output:
            connected = self.subject.connect(self.options())
            self._hear(output, "publish", lambda: connected.publish([refused]))
            broker = self.subject.broker(self.options())
            good = Event.from_dict({"mark": uuid.uuid4().hex})
            self._hear_of_a_broker(output, broker, [refused, good], self.hook_seconds)

    @check("break_server", "mend_server", is_slow=True)
    def test_no_body_is_shown_when_the_server_is_killed(self) -> None:
        """What an event says is in no log, error or traceback when the server is away."""
        canary = f"canary-{uuid.uuid4().hex}"
        published = [Event.from_dict({"sender_id": "conformance", "text": canary})]
        with self._watching([canary], contract.NOTHING_SHOWN) as output:
            connected = self.subject.connect(self.options())
            self.break_server()
            try:
                self._hear(output, "publish", lambda: connected.publish(published))
                self._hear(output, "close", connected.close)
            finally:
                self.mend_server()

    def _publish(
        self, output: WatchedOutput, options: Mapping[str, Any], published: Sequence[Event]
    ) -> None:
        connected = self.subject.connect(options)
        output.add("the repr of the connection", repr(connected.connection))
        connected.publish(published)
        self._hear(output, "close", connected.close)

    @staticmethod
    def _add_options(output: WatchedOutput, settings: Settings) -> None:
        output.add("the repr of the settings", repr(settings))
        if isinstance(settings.options, Options):  # a dict cannot hide what it holds
            output.add("the repr of the options", repr(settings.options))

    @staticmethod
    def _hear(output: WatchedOutput, hook: str, call: Callable[[], Any]) -> None:
        try:
            returned = call()
        except Exception as error:  # noqa: BLE001 - whether it had to be raised is checked elsewhere
            output.add_error(f"what '{hook}' raised", error)
        else:
            output.add(f"what '{hook}' returned", repr(returned))

    @staticmethod
    def _hear_of_a_broker(
        output: WatchedOutput, broker: Any, published: Sequence[Event], timeout: float
    ) -> None:
        broker.accept(published)
        broker.flush(timeout)
        status = broker.status()
        output.add("the status", repr(status))
        for letter in broker.dead_letters():
            output.add("the reason of a dead letter", letter.reason)
            output.add("the repr of a dead letter", repr(letter))

    def _secrets(self, options: Mapping[str, Any]) -> list[str]:
        """Return the secrets of the options that stand nowhere else in them."""
        settings = self.subject.settings(options)
        shown = " ".join(_shown_values(settings.options))
        return [each for each in settings.secrets() if len(each) >= _SHORTEST and each not in shown]

    @staticmethod
    @contextmanager
    def _watching(canaries: Sequence[str], line: Line) -> Iterator[WatchedOutput]:
        with watch_output() as output:
            yield output
        for canary in canaries:
            places = output.where(canary)
            what = "a secret" if line is contract.SECRETS else "what an event says"
            hold(not places, f"{what} is shown in {', '.join(places)}", line)


def _shown_values(options: Any) -> Iterator[str]:
    """Yield the values of options that are no secrets."""
    given: Mapping[str, Any] = options if isinstance(options, Mapping) else {}
    if isinstance(options, Options):
        given = {name: getattr(options, name) for name in options.__struct_fields__}
    for name, value in given.items():
        if not list(secrets_in({name: value})):
            yield str(value)
