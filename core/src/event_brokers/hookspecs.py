"""The whole contract of a plugin: three hooks it must implement, three it may.

A plugin is a module or object registered under the entry-point group `event_brokers` with its type
as the name; it imports `event_brokers` and `event_brokers.plugin` alone. Importing it takes no time
and starts nothing. Every EventBroker owns one pluggy manager that holds one plugin. What a hook
raises decides what the core does:

=======================  =========  ==================  ========================================
raised                   by         the connection      the events
=======================  =========  ==================  ========================================
`ConfigurationError`     `connect`  there is none       kept; one loud log line, tried slowly
any other exception      `connect`  there is none       kept; tried again soon
`RejectedEvents`         `publish`  used again, unless  those it names are dead letters (none
                                    `reconnect` is set  named: the batch is halved); others go
                                                        on
`PartlyPublished`        `publish`  used again          those it confirms are settled; others come
                                                        again at once
`ConfigurationError`     `publish`  closed              kept; tried again slowly
`BrokerUnavailable`,     `publish`  closed              those without a confirm are sent again,
`OSError`                                               through a new connection
any other exception      `publish`  closed              the same, in smaller batches until one
                                                        fails alone; `max_attempts` condemns it,
                                                        but only between two that are confirmed
any exception            `close`    is forgotten        not concerned; one log line
`ConfigurationError`     `consume`  the plugin's own    not acknowledged; ends the consumer
any other exception      `consume`  the plugin's own    not acknowledged; consumed again
=======================  =========  ==================  ========================================

Those that `publish` raises on purpose can carry `confirmed`, the ids of the events that need not be
sent again. Attempts are delayed ever longer, up to 30 s, until something is confirmed;
`BrokerUnavailable` can carry `retry_after`, the seconds for which the broker asks.

`connect` and `publish` should bound every wait, at about 10 s without an answer: a call that has
not returned for 30 s is logged and told by `status()`, and no second one is made beside it. A
`close` that has not returned for 10 s is left behind, and delivery goes on in another thread.

All hooks of one EventBroker but `consume` and `check` are called on one thread at a time, its
delivery thread. A forked child gets connections of its own; what it inherits is never called there.
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

    It must have heard from the broker: an outage has to show here, for in `publish` it would look
    like a bad event. Queues, topics and tables that are missing are made here. Where it raises, it
    leaves nothing open: no thread, socket or file.

    Parameters:
        options: an instance of the class that the `options` hook names; without that hook, the
            `event_broker` section as a dict, without `type` and `delivery`.
        used: names of the places (queues, topics, tables) in which earlier connections had
            events confirmed; add those that this one publishes into. One that was in it and is
            missing now is a ConfigurationError, and never made anew. May be left out.
    """


@hookspec(firstresult=True)
def publish(connection: Any, events: Sequence[Event]) -> None:
    """Return only when the broker has durably confirmed every event of the batch.

    Parameters:
        connection: what `connect` returned.
        events: 1 to some thousand events, in the order in which they were published. It is not to
            be changed. An event that was sent before, and not confirmed, comes again with the
            same id.
    """


@hookspec(firstresult=True)
def close(connection: Any) -> None:
    """Release everything that the connection holds; must not hang.

    Called once per connection, also after `publish` raised. Closing again does nothing.

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

    Called by `event-brokers check`, on a thread of its own: where it connected, TLS and user, which
    queue, topic or table was found or would be made. Raises as `connect` does. Without this hook
    the command connects and closes.

    Parameters:
        options: as for `connect`.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def consume(
    options: Any, group: str | None, from_start: bool, used: set[str]
) -> Iterator[ReceivedEvent | None]:
    """Yield what arrives, for ever; a generator function. Optional.

    Being asked for the next one acknowledges the event before. Being closed does not, and must
    release everything; what was acknowledged before stays so. None is yielded once a second at
    the latest while nothing arrives, so that a consumer can be closed. Called on whatever thread
    asks for the next event.

    Parameters:
        options: as for `connect`.
        group: consumers of one group share the events, each group gets them all; None sees all
            there are, acknowledges nothing and leaves no trace.
        from_start: whether a group without a position begins with the oldest event there is.
        used: as for `connect`: the places that this consumer has received from before.
    """
    raise NotImplementedError
