"""The exception tree: every error this project raises, one sentence each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from event_brokers.wording import printable


class EventBrokersError(Exception):
    """Base of every error raised by event-brokers.

    Parameters:
        message: one clause. What it names may be any text, and forges no line of a log: control
            characters are escaped.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(str(message)))  # a plugin may name anything


class InvalidEvent(EventBrokersError, ValueError):
    """The event cannot be written as JSON; names the path inside the event, never its value."""


class QueueFull(EventBrokersError):
    """The queue holds `delivery.max_pending` events; nothing of this call was accepted."""


class BrokerClosed(EventBrokersError):
    """The EventBroker was closed; nothing of this call was accepted."""


class SpoolError(EventBrokersError):
    """The spool's file cannot be used.

    Parameters:
        message: one lower-case clause without a full stop.
        event_ids: ids of the events that `publish` was given. Nobody knows whether a commit that
            failed was made: publish them again with the same ids, and they are the same events.
    """

    def __init__(self, message: str, event_ids: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.event_ids = tuple(event_ids)


class UndeliveredEvents(EventBrokersError):
    """`close` ended before every accepted event was delivered.

    Parameters:
        count: how many events were neither delivered nor buried as dead letters.
        reason: the last sentence the broker's plugin gave, or None.
    """

    def __init__(self, count: int, reason: str | None = None) -> None:
        self.count = count
        self.reason = reason
        noun = "event was" if count == 1 else "events were"
        super().__init__(f"{count} {noun} not delivered" + (f": {reason}" if reason else ""))


class PublishError(EventBrokersError):
    """Base of what a plugin's `publish` raises on purpose.

    Parameters:
        message: one lower-case clause without a full stop, a secret or an event's body.
        confirmed: ids of the events of the batch that the broker did confirm; the core settles
            them and never sends them again.
    """

    def __init__(self, message: str, confirmed: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.confirmed = frozenset(confirmed)


class BrokerUnavailable(PublishError):
    """Not delivered, or not known: the core reconnects and sends the unconfirmed again.

    Parameters:
        message: one lower-case clause without a full stop, a secret or an event's body.
        confirmed: ids of the events of the batch that the broker did confirm.
        retry_after: seconds for which the broker asks not to be tried again. The core waits for as
            long, 5 minutes at most, but not while the program waits for its end.
    """

    def __init__(
        self, message: str, confirmed: Iterable[str] = (), retry_after: float | None = None
    ) -> None:
        super().__init__(message, confirmed)
        self.retry_after = retry_after


class PartlyPublished(PublishError):
    """The time was up before every event was sent; what was not comes again at once.

    For a broker that takes events one by one: `publish` returns in time, and nothing has failed.

    Parameters:
        message: one lower-case clause without a full stop, a secret or an event's body.
        confirmed: ids of the events of the batch that the broker did confirm; one at the least.
    """


class ConfigurationError(EventBrokersError):
    """A person must change something; events are kept and tried again slowly.

    Parameters:
        message: one lower-case clause without a full stop that names the option and the way out.
        confirmed: where `publish` raises it, ids of the events of the batch that the broker did
            confirm.
    """

    def __init__(self, message: str, confirmed: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.confirmed = frozenset(confirmed)


class PluginError(ConfigurationError):
    """An installed plugin cannot be used; names its distribution and what to change."""


class RejectedEvents(PublishError):
    """These events can never be delivered; the core buries them as dead letters.

    Parameters:
        reasons: event id -> why the broker refuses it. Empty when the broker refuses the batch
            without saying which event: the core then narrows the batch to find it.
        message: why, for the events that `reasons` does not name.
        confirmed: ids of the events of the batch that the broker did confirm.
        reconnect: whether the connection is used up, so that the core makes a new one.
    """

    def __init__(
        self,
        reasons: Mapping[str, str],
        message: str = "the broker refuses the event",
        confirmed: Iterable[str] = (),
        reconnect: bool = False,
    ) -> None:
        super().__init__(next(iter(reasons.values()), message), confirmed)
        self.reasons = dict(reasons)
        self.reconnect = reconnect
