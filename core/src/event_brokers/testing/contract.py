"""The lines of the contract that the checks hold, as they stand where authors read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import pytest


@dataclass(frozen=True)
class Line:
    """One line of the contract.

    Attributes:
        where: the module, class or hook in whose docstring it stands.
        text: what stands there.
    """

    where: str
    text: str


_HOOKS = "event_brokers.hookspecs"
_ERRORS = "event_brokers.errors"

CONNECT_HAS_HEARD = Line(
    f"{_HOOKS}.connect", "It must have heard from the broker: an outage has to show here"
)
PLACES_ARE_MADE = Line(f"{_HOOKS}.connect", "Queues, topics and tables that are missing are made")
LEAVES_NOTHING = Line(
    f"{_HOOKS}.connect", "Where it raises, it leaves nothing open: no thread, socket or file."
)
CONFIRMED = Line(
    f"{_HOOKS}.publish",
    "Return only when the broker has durably confirmed every event of the batch.",
)
IN_ORDER = Line(f"{_HOOKS}.publish", "in the order in which they were published")
BATCH_IS_NOT_CHANGED = Line(f"{_HOOKS}.publish", "It is not to be changed.")
SAME_ID = Line(f"{_HOOKS}.publish", "comes again with the same id")
RELEASED = Line(f"{_HOOKS}.close", "Release everything that the connection holds; must not hang.")
CLOSING_AGAIN = Line(f"{_HOOKS}.close", "Closing again does nothing.")
CHECK_LOOKS = Line(
    f"{_HOOKS}.check", "Connect, look, change nothing, and return what was found, a sentence each."
)
CHECK_SAYS_WHERE = Line(f"{_HOOKS}.check", "where it connected")
CHECK_RAISES = Line(f"{_HOOKS}.check", "Raises as `connect` does.")
YIELDS = Line(f"{_HOOKS}.consume", "Yield what arrives, for ever")
ACKNOWLEDGES = Line(
    f"{_HOOKS}.consume", "Being asked for the next one acknowledges the event before."
)
CLOSING_ACKNOWLEDGES_NOTHING = Line(f"{_HOOKS}.consume", "Being closed does not")
GIVES_TURNS = Line(
    f"{_HOOKS}.consume", "None is yielded once a second at the latest while nothing arrives"
)
GROUPS = Line(f"{_HOOKS}.consume", "share the events, each group gets them all")
LEAVES_NO_TRACE = Line(f"{_HOOKS}.consume", "acknowledges nothing and leaves no trace")
FROM_START = Line(
    f"{_HOOKS}.consume", "whether a group without a position begins with the oldest event there is"
)
A_PERSON = Line(
    f"{_ERRORS}.ConfigurationError",
    "A person must change something; events are kept and tried again slowly.",
)
NAMES_CONFIRMED = Line(_HOOKS, "`confirmed`, the ids of the events that need not be sent again")
REJECTED = Line(
    f"{_ERRORS}.RejectedEvents",
    "These events can never be delivered; the core buries them as dead letters.",
)
RAISED = Line(_HOOKS, "What a hook raises decides what the core does")
BOUNDED = Line(_HOOKS, "`connect` and `publish` should bound every wait")
CLOSE_IS_BOUNDED = Line(_HOOKS, "A `close` that has not returned for 10 s is left behind")
TRIED_AGAIN = Line(_HOOKS, "those without a confirm are sent again")
ONE_THREAD = Line(_HOOKS, "are called on one thread at a time")
CONSUMED_AGAIN = Line(_HOOKS, "not acknowledged; consumed again")
FORKED_CHILD = Line(_HOOKS, "A forked child gets connections of its own")
IMPORT_STARTS_NOTHING = Line(_HOOKS, "Importing it takes no time and starts nothing")
REGISTERED = Line(
    _HOOKS, "registered under the entry-point group `event_brokers` with its type as the name"
)
BODY = Line(
    "event_brokers.event.Event", "the caller's dictionary as JSON in UTF-8, and nothing else"
)
ID = Line("event_brokers.event.Event", "stays with the event wherever it goes")
HEADERS = Line(
    "event_brokers.event.Event.headers", "What travels beside the body where a broker has headers."
)
MAY_LACK = Line("event_brokers.event.Event", "where the dictionary names one")
RECEIVED_BODY = Line("event_brokers.event.ReceivedEvent", "the bytes that were published")
RECEIVED_ID = Line("event_brokers.event.ReceivedEvent", "the event's id")
RECEIVED_PROBLEM = Line(
    "event_brokers.event.ReceivedEvent", "why the body is no event, without its content"
)
DESCRIBED = Line("event_brokers.options.Options", 'msgspec.Meta(description="...")')
SECRETS = Line("event_brokers.secret.Secret", "A text that prints as `***`.")
UNKNOWN_OPTIONS = Line(f"{_HOOKS}.options", "the core validates the YAML before anything connects")
NOTHING_SHOWN = Line(
    f"{_ERRORS}.PublishError",
    "one lower-case clause without a full stop, a secret or an event's body",
)
SOUND_HOOKS = Line(
    "event_brokers.plugins.Plugin",
    "a hook is missing, misspelt, async, or has an argument with a default",
)


def fail(sentence: str, line: Line) -> NoReturn:
    """Fail the check, with one sentence.

    Parameters:
        sentence: what is wrong, a clause without a secret or an event's body.
        line: of the contract, which it breaks.
    """
    # one sentence is all that an author has to read: no traceback, nor what led to it
    raise pytest.fail.Exception(
        f"{sentence}; {line.where} says: {line.text}", pytrace=False
    ) from None


def hold(holds: bool, sentence: str, line: Line) -> None:
    """Fail the check unless something holds.

    Parameters:
        holds: whether it does.
        sentence: what is wrong where it does not.
        line: of the contract, which is broken then.
    """
    if not holds:
        fail(sentence, line)
