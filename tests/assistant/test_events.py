"""The events of a conversation: dictionaries in, structs in between, the same dictionaries out."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import InvalidEvent
from event_brokers_assistant import events
from event_brokers_assistant.events import (
    KnownEvent,
    ReminderCancelled,
    SlotSet,
    StoryExported,
    UserUttered,
    from_dict,
)
from wheels import ROOT

RASA = [
    json.loads(line)
    for line in (ROOT / "tests/data/rasa-3.6.21-events.jsonl").read_text("utf-8").splitlines()
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("event", RASA, ids=[event["event"] for event in RASA])
def test_what_rasa_writes_survives_the_round_trip(event: dict[str, Any]) -> None:
    """Every event of the data, of a type that is known, comes out as it went in."""
    parsed = from_dict(event)
    assert isinstance(parsed, KnownEvent)
    assert parsed.to_dict() == event


def test_every_type_that_rasa_serialises_is_known() -> None:
    """The data has all 21 of them, and so has the union."""
    known = {kind.__struct_config__.tag for kind in get_args(KnownEvent)}
    assert known == {event["event"] for event in RASA}
    assert len(known) == 21


@given(
    st.sampled_from(RASA),
    st.dictionaries(st.text(min_size=1, max_size=12), JSON, max_size=4),
)
def test_unknown_fields_survive_untouched(event: dict[str, Any], more: dict[str, Any]) -> None:
    """Whatever a later Rasa, or an application, adds."""
    known = type(from_dict(event)).__struct_fields__
    whole = {name: value for name, value in more.items() if name not in known} | event
    assert from_dict(whole).to_dict() == whole


@given(
    st.text("abcdefghij_", min_size=1).map(lambda name: f"x_{name}"),
    st.dictionaries(st.text(max_size=12), JSON, max_size=4),
)
def test_unknown_types_survive_untouched(type_name: str, fields: dict[str, Any]) -> None:
    """An event that nobody here knows is kept as it is."""
    event = fields | {"event": type_name}
    assert from_dict(event).to_dict() == event
    assert from_dict(event).type == type_name


def test_an_event_made_in_python_is_written_as_rasa_would() -> None:
    """Defaults are there, and what Rasa leaves out is not."""
    assert SlotSet("name", "Ada", timestamp=1.0).to_dict() == {
        "event": "slot", "timestamp": 1.0, "name": "name", "value": "Ada",
    }  # fmt: skip
    assert UserUttered("hi", timestamp=1.0).to_dict() == {
        "event": "user", "timestamp": 1.0, "metadata": {}, "text": "hi",
        "parse_data": {
            "intent": {}, "entities": [], "text": "hi", "message_id": None, "metadata": {},
        },
        "input_channel": None, "message_id": None,
    }  # fmt: skip
    assert ReminderCancelled(timestamp=1.0).to_dict() == {
        "event": "cancel_reminder", "timestamp": 1.0,
    }  # fmt: skip
    assert StoryExported("story.yml", timestamp=1.0).to_dict()["path"] == "story.yml"


def test_an_event_without_a_time_happens_now() -> None:
    """As in Rasa, also where the time is null."""
    for event in ({"event": "restart"}, {"event": "restart", "timestamp": None}):
        assert from_dict(event).timestamp > 1_700_000_000


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ({}, "event.event: missing; name the event's type, such as 'user'"),
        ({"event": 5}, "event.event: missing; name the event's type, such as 'user'"),
        ({"event": "a\nb"}, "event.event: give at most 255 printable characters"),
        ({"event": "slot"}, "event: object missing required field 'name'"),
        ({"event": "user", "text": 5}, "event.text: expected 'str | null', got 'int'"),
        ([], "event: not a dictionary"),
    ],
)
def test_what_is_no_event_is_refused_in_a_sentence(event: Any, sentence: str) -> None:
    """It names the field and never the value."""
    with pytest.raises(InvalidEvent) as refused:
        from_dict(event)
    assert str(refused.value) == sentence


def test_every_type_says_what_it_is() -> None:
    """The union is what the module offers, each with a docstring."""
    for kind in get_args(KnownEvent):
        assert getattr(events, kind.__name__) is kind
        assert kind.__doc__
