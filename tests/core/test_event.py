"""An event is the caller's dictionary as JSON, or a refusal that names the place."""

from __future__ import annotations

import datetime
import decimal
import enum
import itertools
import json
import uuid
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import Event, InvalidEvent, ReceivedEvent, event_ids
from event_brokers.event_ids import new_id

text = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=20,
)
json_objects = st.dictionaries(text, json_values)

without_json = st.sampled_from(
    [
        float("nan"),
        float("inf"),
        float("-inf"),
        "\ud800",
        b"bytes",
        {1, 2},
        {1: "key"},
        {None: "key"},
        {"\udfff": "key"},
        datetime.datetime(2018, 6, 7, tzinfo=datetime.timezone.utc),
        datetime.date(2018, 6, 7),
        uuid.UUID(int=1),
        decimal.Decimal(1),
        object(),
        1j,
    ]
)


class Colour(str, enum.Enum):
    """An enumeration of texts, as applications have them."""

    RED = "red"


class Number(int):
    """A subclass of int."""


class Fraction(float):
    """A subclass of float, as numpy's float64 is."""


class Word(str):
    """A subclass of str."""

    __slots__ = ()


@given(json_objects)
def test_the_body_is_the_dictionary_and_nothing_else(event: dict[str, Any]) -> None:
    """Whatever JSON can say is read back equal."""
    assert json.loads(Event.from_dict(event).body) == event


@given(json_objects, without_json, st.integers(0, 3))
def test_what_json_cannot_say_is_refused(event: dict[str, Any], bad: object, depth: int) -> None:
    """NaN, infinity, lone surrogates and foreign types never enter the queue, however deep."""
    for _ in range(depth):
        bad = [bad]
    with pytest.raises(InvalidEvent):
        Event.from_dict({**event, "bad": bad})


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ({"a": {"b": [1, float("nan")]}}, "event.a.b[1]: NaN and infinity have no JSON"),
        ({"a": [{"b": "top secret \ud800"}]}, "event.a[0].b: a lone surrogate has no UTF-8"),
        ({"slots": {1: "x"}}, "event.slots: a key is an int; JSON wants text"),
        ({"when": datetime.date(2018, 6, 7)}, "event.when: a date has no JSON"),
        (["not", "a", "dictionary"], "event: a list is not a dictionary"),
    ],
)
def test_the_refusal_names_the_path_and_not_the_value(event: Any, sentence: str) -> None:
    """A person finds the place without the value being shown."""
    with pytest.raises(InvalidEvent) as caught:
        Event.from_dict(event)
    assert str(caught.value) == sentence


def test_a_dictionary_that_contains_itself_is_refused() -> None:
    """A cycle ends in a sentence, not in a crash."""
    event: dict[str, Any] = {}
    event["self"] = event
    with pytest.raises(InvalidEvent, match="nested too deeply, or contains itself"):
        Event.from_dict(event)


def test_subclasses_of_json_types_are_written_as_their_values() -> None:
    """Enumerations, ordered dictionaries and numeric subclasses are what they hold."""
    event = OrderedDict(
        a=Colour.RED, b=Number(3), c=Fraction(1.5), d=Word("w"), e=(1, 2), f={Word("k"): True}
    )
    event["sender_id"] = Colour.RED
    read = json.loads(Event.from_dict(event).body)
    assert read == {
        "a": "red", "b": 3, "c": 1.5, "d": "w", "e": [1, 2], "f": {"k": True}, "sender_id": "red"
    }  # fmt: skip
    assert Event.from_dict(event).sender_id == "red"


def test_numbers_of_any_size_are_kept() -> None:
    """JSON has no largest integer."""
    event = {"big": 2**200, "small": -(2**200)}
    assert json.loads(Event.from_dict(event).body) == event


def test_changing_the_dictionary_afterwards_changes_nothing() -> None:
    """The event is a copy from the moment on at which it was made."""
    inner = {"value": 1}
    event = Event.from_dict({"slot": inner})
    inner["value"] = 2
    assert json.loads(event.body) == {"slot": {"value": 1}}


def test_sender_type_and_timestamp_are_read_where_they_are() -> None:
    """Key and headers come from the dictionary; nothing is required."""
    event = Event.from_dict({"sender_id": "s", "event": "user", "timestamp": 3}, event_id="x")
    assert (event.sender_id, event.type, event.timestamp) == ("s", "user", 3.0)
    assert event.headers == {"event_id": "x", "event_type": "user"}
    bare = Event.from_dict({}, event_id="x")
    assert (bare.sender_id, bare.type, bare.timestamp) == (None, None, None)
    assert bare.headers == {"event_id": "x"}
    odd = Event.from_dict({"sender_id": 7, "event": ["user"], "timestamp": True})
    assert (odd.sender_id, odd.type, odd.timestamp) == ("7", None, None)
    assert Event.from_dict({"timestamp": 10**400}).timestamp is None


@pytest.mark.parametrize("event_id", ["", "x" * 256, "ü" * 128, "a\nb", "\ud800", "a ", " a", 7])
def test_an_unusable_id_is_refused(event_id: Any) -> None:
    """An id fits into an AMQP short string and into a header."""
    with pytest.raises(InvalidEvent, match=r"^event_id: "):
        Event.from_dict({}, event_id=event_id)


def test_ids_are_uuid7_and_sort_in_the_order_they_were_made() -> None:
    """Ids are time-ordered and unique, also many within one millisecond."""
    ids = [new_id() for _ in range(20_000)]
    assert ids == sorted(set(ids))
    assert {uuid.UUID(event_id).version for event_id in ids[:100]} == {7}
    assert {uuid.UUID(event_id).variant for event_id in ids[:100]} == {uuid.RFC_4122}


@given(
    st.lists(st.integers(0, 2**48 - 1), min_size=1),
    st.integers(0, 2**73) | st.integers(2**48 - 5, 2**48) | st.integers(2**62 - 5, 2**62),
)
def test_ids_sort_whatever_the_clock_does_and_wherever_counting_begins(
    clock: list[int], start: int
) -> None:
    """Each has the latest time that there was, and the count behind it, carried into every bit."""
    ids = event_ids._TimeOrderedIds()
    ids._counter = itertools.count(start)
    with pytest.MonkeyPatch.context() as patch:
        times = iter(clock)
        patch.setattr("time.time_ns", lambda: next(times) * 1_000_000)
        made = [uuid.UUID(ids.new()) for _ in clock]
    assert made == sorted(set(made))
    assert {(each.version, each.variant) for each in made} == {(7, uuid.RFC_4122)}
    assert [each.int >> 80 for each in made] == list(itertools.accumulate(clock, max))
    counts = [(each.int >> 64 & 0xFFF) << 62 | each.int & (1 << 62) - 1 for each in made]
    assert counts == list(range(start, start + len(clock)))


def test_headers_that_were_given_travel_beside_the_bodys_own() -> None:
    """Text to text; the id and the type stay the core's."""
    event = Event.from_dict({"event": "user"}, "x", {"traceparent": "00-1-2-01", "ü": "ö"})
    assert event.given_headers == {"traceparent": "00-1-2-01", "ü": "ö"}
    assert event.headers == {
        "traceparent": "00-1-2-01", "ü": "ö", "event_id": "x", "event_type": "user"
    }  # fmt: skip
    assert event.size == len(event.body) + len("traceparent00-1-2-01") + len("üö".encode())


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        (
            {"event_id": "y"},
            "headers: 'event_id' is set by event-brokers itself; name it otherwise",
        ),
        ({"Event_Type": "y"}, "headers: 'Event_Type' is set by event-brokers itself"),
        ({"a": "1\r\nb: 2"}, "headers: the value of 'a' holds a control character"),
        ({"a\n": "1"}, "headers: a name holds a control character"),
        ({"a": "\x9b31m"}, "headers: the value of 'a' holds a control character"),
        ({"a": 1}, "headers: the value of 'a' is not text"),
        ({1: "a"}, "headers: a name must be text of 1 to 128 characters"),
        ({"": "a"}, "headers: a name must be text of 1 to 128 characters"),
        ({"a": "\ud800"}, "headers: the value of 'a' holds a lone surrogate"),
        ({"a": "x" * 40_000}, "headers: are larger than 32768 bytes"),
        ([("a", "b")], "headers: give a mapping of text to text"),
    ],
)
def test_headers_that_no_broker_could_carry_are_refused(headers: Any, sentence: str) -> None:
    """In the caller's thread, and without showing a value."""
    with pytest.raises(InvalidEvent) as caught:
        Event.from_dict({}, headers=headers)
    assert str(caught.value).startswith(sentence)


def test_a_type_with_line_breaks_forges_no_header() -> None:
    """CR and LF of `event` are taken out where it stands in a header; the body keeps them."""
    event = Event.from_dict({"event": "user\r\nevent_id: forged\x7f"}, "x")
    assert event.headers == {"event_id": "x", "event_type": "userevent_id: forged"}
    assert json.loads(event.body) == {"event": "user\r\nevent_id: forged\x7f"}


def test_no_repr_shows_a_body() -> None:
    """A plugin's f-string carries no conversation into a log."""
    event = Event.from_dict({"text": "canary", "sender_id": "canary"}, headers={"a": "canary"})
    received = ReceivedEvent.from_body(event.body, "here", event.id, event.headers)
    assert "canary" not in f"{event} {event!r} {received} {received!r} {[event, received]}"


def test_any_mapping_is_an_event() -> None:
    """Not only a dict: what reads like one is written like one."""
    event = MappingProxyType({"event": "user", "sender_id": "a"})
    assert json.loads(Event.from_dict(event).body) == {"event": "user", "sender_id": "a"}
