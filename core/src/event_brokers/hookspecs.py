"""The whole contract of a plugin: three hooks it must implement, three it may.

A plugin is a module or object registered under the entry-point group `event_brokers` with its
type as the name. Every EventBroker owns one pluggy manager that holds one plugin, so a hook is
answered by that plugin alone. What `publish` raises decides what the core does:

- `RejectedEvents`: these events are buried as dead letters, the others go on.
- `ConfigurationError`: every event is kept, one loud log line, tried again slowly.
- anything else, such as `BrokerUnavailable`: the connection is closed and made anew with jittered
  exponential back-off, and the events without a confirmation are sent again.

All three can carry `confirmed`, the ids of the events that need not be sent again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from event_brokers.event import Event, ReceivedEvent
    from event_brokers.options import Options

PROJECT = "event_brokers"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec(firstresult=True)
def connect(options: Any, used: set[str]) -> Any:
    """Return a live connection object of the plugin's own kind; never None.

    Called on the delivery thread, and again there after every lost connection. Queues, topics
    and tables that are missing are made here, so that a consumer finds them.

    Parameters:
        options: an instance of the class that the `options` hook names; without that hook, the
            `event_broker` section as a dict, without `type` and `delivery`.
        used: names of the places (queues, topics, tables) in which earlier connections had
            events confirmed; add those that this one publishes into. One that was in it and is
            missing now is a ConfigurationError, and never made anew. May be left out.

    Raises:
        ConfigurationError: a person must change something: credentials, TLS, a missing topic.
        Exception: the broker cannot be reached now; the core tries again.
    """


@hookspec(firstresult=True)
def publish(connection: Any, events: Sequence[Event]) -> None:
    """Return only when the broker has durably confirmed every event of the batch.

    Called on the delivery thread with the object that `connect` returned.

    Parameters:
        connection: what `connect` returned.
        events: 1 to some thousand events, in the order in which they were published.

    Raises:
        RejectedEvents: some of the events can never be delivered.
        ConfigurationError: a person must change something.
        Exception: not delivered, or not known.
    """


@hookspec(firstresult=True)
def close(connection: Any) -> None:
    """Release everything that the connection holds; must not hang.

    Called once per connection, on the delivery thread, also after `publish` raised.

    Parameters:
        connection: what `connect` returned.
    """


@hookspec(firstresult=True)
def options() -> type[Options]:
    """Return the typed options class, a subclass of `event_brokers.Options`. Optional.

    With it the core validates the YAML before anything connects, and lists the options in
    `event-brokers plugins`. Called once, when the plugin is chosen.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def check(options: Any) -> Sequence[str]:
    """Connect, look, change nothing, and return what was found, a sentence each. Optional.

    Called by `event-brokers check`: where it connected, TLS and user, which queue, topic or table
    was found or would be made. Without this hook the command connects and closes.

    Parameters:
        options: as for `connect`.

    Raises:
        ConfigurationError: a person must change something.
        Exception: the broker cannot be reached now.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def consume(options: Any, group: str | None, from_start: bool) -> Iterator[ReceivedEvent | None]:
    """Yield what arrives, for ever; a generator function. Optional.

    Being asked for the next one acknowledges the event before. Being closed does not, and must
    release everything; what was acknowledged before stays so. None is yielded once a second at
    the latest while nothing arrives, so that a consumer can be closed.

    Parameters:
        options: as for `connect`.
        group: consumers of one group share the events, each group gets them all; None sees all
            there are, acknowledges nothing and leaves no trace.
        from_start: whether a group without a position begins with the oldest event there is.

    Raises:
        ConfigurationError: a person must change something; ends the consumer.
        BrokerUnavailable: the connection is lost; the core asks for a new generator later.
    """
    raise NotImplementedError
