"""What a plugin's author answers about the broker: the checks ask for nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from event_brokers.testing.certificates import Certificate
from event_brokers.testing.subject import Subject

DEADLINE_OF_CLOSE = 10.0  # seconds; the contract's
DEADLINE_OF_OTHER_HOOKS = 30.0  # the contract's as well
_OR = " or "


@dataclass(frozen=True)
class Arrived:
    """One event as it stands at the broker, read with a client that is not the plugin's.

    Attributes:
        body: the bytes.
        id: the event's id; None where it stands there without one.
        headers: what stands beside the body, `event_type` among it; None where the broker has no
            headers at all.
    """

    body: bytes
    id: str | None
    headers: Mapping[str, str] | None = None


class Answers:
    """The broker, as its author describes it.

    `options` and `arrived` must be answered. What else is not answered is skipped, and listed at
    the end of the run as not proven. Servers come in by fixtures of the author's own, such as an
    autouse one that stores a running server as `self.server`.

    Attributes:
        type: the type that the plugin serves.
        entry_point: "module" or "module:object" of a plugin that is not installed; as it would
            stand in pyproject.toml.
        has_headers: whether the broker keeps headers beside the body.
        stores_once: whether an event that is sent twice is stored once.
        hook_seconds: that `connect` and `publish` may take; never more than the contract says.
        close_seconds: that `close` may take; never more than the contract says.
        import_seconds: that importing the plugin may take.
        folder: a folder of this test's own, for files.
        name: a name of this test's own, for a queue, topic or table that is empty.
        subject: the plugin, ready to be called.
    """

    type: ClassVar[str]
    entry_point: ClassVar[str | None] = None
    has_headers: ClassVar[bool] = True
    stores_once: ClassVar[bool] = False
    hook_seconds: ClassVar[float] = DEADLINE_OF_OTHER_HOOKS
    close_seconds: ClassVar[float] = DEADLINE_OF_CLOSE
    import_seconds: ClassVar[float] = 5.0

    folder: Path
    name: str
    subject: Subject

    def options(self) -> Mapping[str, Any]:
        """Return what stands under `event_broker`, without `type`: a place that is empty.

        Asked often in one check, it always names the same place.
        """
        raise NotImplementedError

    def arrived(self) -> Sequence[Arrived]:
        """Return everything that has arrived in that place since the check began, in order.

        Read with a plain client. One that takes messages away as it reads keeps those it took.
        """
        raise NotImplementedError

    def groups(self) -> tuple[str, str]:
        """Return the names of two groups of consumers, each of which gets every event."""
        return (f"{self.name}-one", f"{self.name}-two")

    def break_server(self) -> None:
        """End the server at once, as kill -9 does; what it has confirmed stays."""
        raise NotImplementedError

    def mend_server(self) -> None:
        """Let the server run again, at the same address; it runs when this returns."""
        raise NotImplementedError

    def server_port(self) -> int:
        """Return the port of 127.0.0.1 at which the server listens."""
        raise NotImplementedError

    def at(self, port: int) -> Mapping[str, Any]:
        """Return the options that lead to another port of 127.0.0.1, to the same place.

        Parameters:
            port: where the kit has put a bad network, or nobody.
        """
        raise NotImplementedError

    def proxy_port(self) -> int:
        """Return the port that the kit's bad network has to have; 0 where any will do.

        For servers that tell their clients where they are, as Kafka's brokers do.
        """
        return 0

    def freeze_server(self) -> None:
        """Let the broker answer nobody, though it is there: a file that somebody has locked.

        For a broker without a port; the kit freezes the network to one that has `at`.
        """
        raise NotImplementedError

    def thaw_server(self) -> None:
        """End what `freeze_server` has begun; called once after it, whatever happens."""
        raise NotImplementedError

    def refused_event(self) -> Mapping[str, Any]:
        """Return an event that the server never takes, such as one that is too large for it."""
        raise NotImplementedError

    def with_password(self, password: str) -> Mapping[str, Any]:
        """Return the options with another password, which the server does not know.

        Parameters:
            password: to sign in with.
        """
        raise NotImplementedError

    def over_tls(self, port: int, authority: str) -> Mapping[str, Any]:
        """Return the options that lead to a port of 127.0.0.1 over TLS, to the same place.

        Parameters:
            port: where TLS is spoken.
            authority: PEM file of the only authority to trust.
        """
        raise NotImplementedError

    def present(self, certificate: Certificate) -> int | None:
        """Let the server present a certificate; return its port of 127.0.0.1.

        Only for servers that begin in plain text, such as PostgreSQL. By default, None, the kit
        speaks TLS before the server's own port.

        Parameters:
            certificate: its files.
        """
        del certificate
        return None

    def place_exists(self) -> bool:
        """Return whether the queue, topic, table or file is there."""
        raise NotImplementedError

    def put(self, body: bytes) -> None:
        """Put a message into the place with a plain client, as somebody else would.

        The place may be missing: nobody has connected before.

        Parameters:
            body: which may be no JSON.
        """
        raise NotImplementedError


def unanswered(answers: type[Answers], need: str) -> bool:
    """Return whether a check lacks something that it needs.

    Parameters:
        answers: the author's class.
        need: the name of a method or attribute of `Answers`; several with " or " between.
    """
    return not any(_is_answered(answers, name) for name in need.split(_OR))


def _is_answered(answers: type[Answers], name: str) -> bool:
    answer = getattr(answers, name)
    if isinstance(answer, bool):
        return answer
    return answer is not getattr(Answers, name)
