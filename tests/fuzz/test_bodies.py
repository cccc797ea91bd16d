"""Whatever a broker hands over as a body: an event, or the reason why it is none."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from event_brokers import ReceivedEvent
from event_brokers.event import Event, parse
from fuzz.conftest import Fuzz
from fuzz.mutations import mutated

EXAMPLES = [
    b'{"sender_id": "default", "timestamp": 1528402837.617099, "event": "bot", "text": "canary"}',
    b'{"event":"user","text":"canary","parse_data":{"intent":{"name":null},"entities":[{}]},"n":-1}',
    b'[{"canary": 1}, "text", 5e-3, true, false, null]',
    '"canary \\u00fc \\ud83d\\ude00 ü"'.encode(),
]
WORDS = [
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\u", b"\\ud800", b"\xed\xa0\x80", b"\xff",
    b"\x00", b"\xef\xbb\xbf", b"NaN", b"-Infinity", b"1e999", b"-0", b"9" * 25, b"9" * 5000, b"0.",
    b"null", b'{"a":' * 200, b"[" * 2000, b'"a":1,', b" ", b"\n", b"//", b"'",
]  # fmt: skip
BODIES = mutated(EXAMPLES, WORDS) | st.binary(max_size=60)


def test_a_body_is_an_event_or_has_a_reason(fuzz: Fuzz) -> None:
    """One clause without anything of the body; what is an event can be published as it is."""

    @settings(max_examples=300)
    @given(BODIES)
    def check(body: bytes) -> None:
        event, problem = parse(body)
        assert (event is None) == (problem is not None)
        if problem is not None:
            assert problem.isprintable()
            assert "canary" not in problem
        else:
            assert json.loads(body) == event
            assert parse(Event.from_dict(event or {}).body)[0] == event

    fuzz(check)


def test_a_received_body_is_kept_to_the_byte(fuzz: Fuzz) -> None:
    """Whatever it is, and whatever came beside it; an empty id is none."""
    headers = st.none() | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)

    @settings(max_examples=200)
    @given(BODIES, st.text(max_size=10), st.none() | st.text(max_size=10), headers)
    def check(body: bytes, origin: str, event_id: str | None, beside: Any) -> None:
        received = ReceivedEvent.from_body(body, origin, event_id, beside)
        assert (received.body, received.origin, received.id) == (body, origin, event_id or None)
        assert received.headers == (beside or {})
        assert (received.event, received.problem) == parse(body)

    fuzz(check)
