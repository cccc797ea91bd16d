"""Broken in what they show: secrets, bodies, options, hooks, and what `check` says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta

from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Event,
    RejectedEvents,
    Secret,
    hookimpl,
)
from event_brokers.plugin import logger
from event_brokers.plugin.tls import TlsOptions
from testing.broken import broken
from testing.ledger import HOST, Ledger, LedgerOptions, Session


@broken("test_no_secret_is_shown_while_all_is_well", "test_no_password_is_shown_when_it_is_wrong")
class LogsThePassword(Ledger):
    """Helps its author to find out why signing in fails."""

    def open(self, options: Any) -> Any:
        logger.debug("signing in with %s", options.password.reveal())
        return super().open(options)


@broken("test_no_password_is_shown_when_it_is_wrong")
class ShowsTheWrongPassword(Ledger):
    """Says in its error what it has tried."""

    class _Session(Session):
        def wrong_password(self) -> Exception:
            said = self.options.password.reveal()
            return ConfigurationError(f"event_broker.password: '{said}' is not the server's")

    session_class = _Session


@broken(
    "test_no_body_is_shown_while_all_is_well",
    also=(
        "test_no_body_is_shown_when_an_event_is_refused",
        "test_no_body_is_shown_when_the_server_is_killed",
    ),
)
class LogsTheBody(Ledger):
    """Has a debug line for every event."""

    def send(self, session: Any, events: Sequence[Event]) -> None:
        for event in events:
            logger.debug("sending %s", event.body)
        super().send(session, events)


@broken("test_no_body_is_shown_when_an_event_is_refused")
class ShowsTheRefusedBody(Ledger):
    """Says in its reason what the event says."""

    def refusal(self, refused: Sequence[str], events: Sequence[Event]) -> Exception:
        bodies = {event.id: event.body.decode() for event in events}
        return RejectedEvents({each: f"refused: {bodies[each]}" for each in refused})


@broken("test_no_body_is_shown_when_the_server_is_killed")
class ShowsTheBodyThatFailed(Ledger):
    """Wraps the error of its client together with what it was about."""

    def send(self, session: Any, events: Sequence[Event]) -> None:
        try:
            super().send(session, events)
        except (OSError, BrokerUnavailable) as error:
            raise BrokerUnavailable(f"could not send {events[0].body.decode()}") from error


@broken("test_looking_makes_no_place")
class MakesThePlaceAsItLooks(Ledger):
    """Connects in `check` as in `connect`."""

    def inspect(self, options: Any) -> Sequence[str]:
        self.release(self.open(options))
        return super().inspect(options)


@broken("test_looking_changes_nothing", also=("test_looking_makes_no_place",))
class PublishesAsItLooks(Ledger):
    """Tries out in `check` whether publishing works."""

    def inspect(self, options: Any) -> Sequence[str]:
        session = self.open(options)
        self.send(session, [Event.from_dict({"event": "check"})])
        self.release(session)
        return super().inspect(options)


@broken("test_looking_says_where_it_connected")
class SaysOnlyThatAllIsWell(Ledger):
    """Is of no help to who has configured the wrong server."""

    def inspect(self, options: Any) -> Sequence[str]:
        super().inspect(options)
        return ["all is well"]


@broken("test_looking_where_nobody_is_fails")
class LooksAndSaysNothingIsThere(Ledger):
    """Returns a sentence where it should raise."""

    def inspect(self, options: Any) -> Sequence[str]:
        try:
            return super().inspect(options)
        except OSError:
            return [f"{HOST}:{options.port} cannot be reached"]


class _UndescribedOptions(LedgerOptions, frozen=True, kw_only=True):
    colour: str = "red"


@broken("test_every_option_is_described")
class SaysNothingOfAnOption(Ledger):
    """Leaves its users to guess."""

    options_class = _UndescribedOptions


class _PlainPassword(TlsOptions, frozen=True, kw_only=True):
    port: Annotated[int, Meta(description="port of the server")]
    ledger: Annotated[str, Meta(description="name of the ledger")]
    password: Annotated[str, Meta(description="the password")]
    tls: Annotated[bool, Meta(description="whether to speak TLS")] = False


@broken(
    "test_what_is_named_a_secret_is_one",
    also=(
        "test_no_password_is_shown_when_it_is_wrong",
        "test_no_secret_is_shown_while_all_is_well",
    ),
)
class HasAPasswordThatIsPlainText(Ledger):
    """Prints the password with its options."""

    options_class = _PlainPassword

    class _Session(Session):
        def __init__(self, options: Any, seconds: float | None) -> None:
            wanted = {name: getattr(options, name) for name in ("port", "ledger", "tls")}
            wanted["ssl_cafile"] = options.ssl_cafile
            super().__init__(LedgerOptions(password=Secret(options.password), **wanted), seconds)

    session_class = _Session


@broken("test_the_hooks_are_sound")
class IsAsync(Ledger):
    """Has a hook that nobody would await."""

    @hookimpl
    async def publish(self, connection: Any, events: Sequence[Event]) -> None:  # type: ignore[override]
        """Store the batch."""
        self.send(connection, events)


@broken("test_the_hooks_are_sound")
class HasADefault(Ledger):
    """Has an argument that would never be passed."""

    @hookimpl
    def close(self, connection: Any = None) -> None:
        """Close the connection."""
        self.release(connection)


@broken("test_the_hooks_are_sound")
class MisspellsAHook(Ledger):
    """Has a hook that nobody calls."""

    @hookimpl
    def flush(self, connection: Any) -> None:
        """Do nothing that is asked for."""
