"""What is sent is what others read: CloudEvents' own SDK, and the one of Standard Webhooks."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import json
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_binary_event,
    from_http_event,
    from_structured_event,
)
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from event_brokers import Event, Secret, SecretUrl, endpoints
from event_brokers_http import HTTPOptions
from event_brokers_http.request import Request, request_of

SECRETS = ["whsec_" + base64.b64encode(bytes(range(n, n + 32))).decode() for n in (0, 50)]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
# an id of an application: printable, and no blank at its ends
IDS = TEXT.filter(lambda text: text.isprintable() and text == text.strip() and text != "")
HEADERS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=10)
    .filter(lambda name: name.casefold() not in ("event_id", "event_type")),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=10),
    max_size=3,
)  # fmt: skip
DICTIONARIES = st.fixed_dictionaries(
    {"text": TEXT},
    optional={
        "sender_id": TEXT, "event": TEXT,
        "timestamp": st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 2**40),
    },
)  # fmt: skip


@st.composite
def some_events(draw: st.DrawFn, most: int = 4) -> list[Event]:
    """Draw events with unusual ids, types, senders, times and headers."""
    ids = draw(st.lists(IDS, min_size=1, max_size=most, unique=True))
    headers = st.builds(_acceptable, HEADERS)
    return [Event.from_dict(draw(DICTIONARIES), each, draw(headers)) for each in ids]


def _acceptable(headers: dict[str, str]) -> dict[str, str]:
    """Return the headers that the core takes."""
    controls = {"\u2028", "\u2029", *map(chr, range(0x7F, 0xA0))}
    return {
        name: text for name, text in headers.items() if not controls & set(name + text)
    }  # fmt: skip


@functools.cache
def options_of(**more: Any) -> HTTPOptions:
    """Return options as the core makes them of a section."""
    options = endpoints.read({"type": "http", "url": "https://localhost/", **more}).options
    assert isinstance(options, HTTPOptions)
    return options


def message(request: Request) -> HTTPMessage:
    """Return a request as the SDK takes it."""
    return HTTPMessage(
        headers={name.lower(): value for name, value in request.headers.items()}, body=request.body
    )


@given(some_events(most=1))
def test_the_sdk_reads_structured_events(events: list[Event]) -> None:
    """Id, type, conversation, time and data, whatever they hold."""
    request = request_of(events, options_of(format="cloudevents", source="/bot"))
    assert request.headers["Content-Type"] == "application/cloudevents+json"
    found = from_structured_event(message(request))
    hold_attributes(found, events[0])
    assert found.get_data() == json.loads(events[0].body)


@given(some_events(most=1))
def test_the_sdk_reads_binary_events(events: list[Event]) -> None:
    """The body is the event's own bytes, and each attribute a header, encoded as it has to be."""
    request = request_of(events, options_of(format="cloudevents-binary", source="/bot"))
    assert request.body == events[0].body
    assert request.headers["Content-Type"] == "application/json"
    assert "ce-datacontenttype" not in request.headers
    found = from_binary_event(message(request))
    hold_attributes(found, events[0])
    assert found.get_data() == json.loads(events[0].body)
    assert from_http_event(message(request)).get_id() == events[0].id


@given(some_events())
def test_the_sdk_reads_every_event_of_a_batch(events: list[Event]) -> None:
    """A batch is a JSON array of structured events, in order; each has its own id."""
    request = request_of(events, options_of(format="cloudevents", batch="array", source="/bot"))
    assert request.headers["Content-Type"] == "application/cloudevents-batch+json"
    parts = msgspec.json.decode(request.body, type=list[msgspec.Raw])
    assert len(parts) == len(events)
    for part, event in zip(parts, events, strict=True):
        hold_attributes(from_structured_event(HTTPMessage({}, bytes(part))), event)


@given(some_events())
def test_lines_are_one_event_each(events: list[Event]) -> None:
    """Whatever an event says, it stays one line, with its bytes as they are."""
    request = request_of(events, options_of(batch="lines"))
    assert request.headers["Content-Type"] == "application/x-ndjson"
    assert request.body.split(b"\n") == [*(event.body for event in events), b""]
    request = request_of(events, options_of(batch="lines", format="cloudevents"))
    lines = request.body.split(b"\n")
    assert [json.loads(line)["id"] for line in lines[:-1]] == [event.id for event in events]


@given(some_events())
def test_an_array_is_the_events_as_they_are(events: list[Event]) -> None:
    """Byte for byte, in order."""
    request = request_of(events, options_of(batch="array"))
    assert request.headers["Content-Type"] == "application/json"
    parts = msgspec.json.decode(request.body, type=list[msgspec.Raw])
    assert [bytes(part) for part in parts] == [event.body for event in events]


@given(some_events())
def test_the_key_is_the_same_whenever_the_same_events_are_sent(events: list[Event]) -> None:
    """The id of one event; of several, the SHA-256 of their ids, a line feed between."""
    request = request_of(events, options_of(batch="array"))
    key = request.headers["Idempotency-Key"]
    assert request_of(events, options_of(batch="array")).headers["Idempotency-Key"] == key
    if len(events) == 1:
        assert unquote(key) == events[0].id
        return
    ids = "\n".join(event.id for event in events)
    assert key == hashlib.sha256(ids.encode()).hexdigest()


@given(some_events(most=1), st.sampled_from(["json", "cloudevents", "cloudevents-binary"]))
def test_nothing_of_an_event_can_end_a_header(events: list[Event], form: str) -> None:
    """Headers are visible ASCII, their names tokens; and what was given can be read again."""
    (event,) = events
    headers = request_of(events, options_of(format=form, signing_secret=SECRETS[0])).headers
    assert len({name.lower() for name in headers}) == len(headers) or _folds(event)
    for name, value in headers.items():
        assert not set(name) & set('\r\n\0 :"(),/;<=>?@[\\]{}')
        assert name.isascii()
        assert value.isascii()
        assert value == "" or value.isprintable()
    for name, text in event.given_headers.items():
        found = {unquote(each): unquote(value) for each, value in headers.items()}
        assert found[f"Event-Header-{name}"] == text
    assert unquote(headers.get("Event-Type", "")) == (event.headers.get("event_type") or "")


@given(some_events())
def test_standard_webhooks_verifies_what_is_signed(events: list[Event]) -> None:
    """By its own library, with each of two secrets, and not with a third, nor another body."""
    request = request_of(events, options_of(batch="lines", signing_secret=" ".join(SECRETS)))
    for secret in SECRETS:
        Webhook(secret).verify(request.body, request.headers, json_parse=False)
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook("whsec_" + "A" * 40).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(SECRETS[0]).verify(request.body + b" ", request.headers)


def test_what_is_compressed_is_signed_as_it_is_sent() -> None:
    """The bytes of the body, which a receiver has before it looks into them."""
    event = Event.from_dict({"text": "x" * 1000}, "an.id")
    request = request_of([event], options_of(compression="gzip", signing_secret=SECRETS[0]))
    assert len(request.body) < 200
    assert gzip.decompress(request.body) == event.body
    headers = request.headers
    assert headers["webhook-id"] == "an%2Eid"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    digest = hashlib.sha256
    key = bytes(range(32))
    inner = digest(bytes(b ^ 0x36 for b in key.ljust(64, b"\0")) + signed).digest()
    outer = digest(bytes(b ^ 0x5C for b in key.ljust(64, b"\0")) + inner).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(outer).decode()}"


def test_the_login_is_sent_as_http_has_it() -> None:
    """A token, a user with a password of any characters, and further headers as they stand."""
    event = [Event.from_dict({})]
    assert request_of(event, options_of(token="abc")).headers["Authorization"] == "Bearer abc"
    basic = request_of(event, options_of(username="mé", password="p:w ü")).headers["Authorization"]
    assert base64.b64decode(basic.removeprefix("Basic ")).decode() == "mé:p:w ü"
    from_url = request_of(event, options_of(url="https://me:p%40w@localhost/")).headers
    assert base64.b64decode(from_url["Authorization"].removeprefix("Basic ")) == b"me:p@w"
    further = HTTPOptions(
        url=SecretUrl("localhost"), headers={"X-Key": Secret("k 1"), "User-Agent": Secret("mine")}
    )
    given = request_of(event, further).headers
    assert (given["X-Key"], given["User-Agent"]) == ("k 1", "mine")


def test_headers_of_an_event_travel_as_extensions_where_they_can() -> None:
    """Those whose names CloudEvents allows; none takes the place of an attribute."""
    headers = {"environment": "test", "x-not": "a", "id": "mine", "Upper": "b"}
    event = Event.from_dict({"event": "user"}, "e1", headers)
    found = json.loads(request_of([event], options_of(format="cloudevents")).body)
    assert found == {
        "specversion": "1.0", "id": "e1", "source": "event-brokers", "type": "user",
        "datacontenttype": "application/json", "environment": "test", "data": {"event": "user"},
    }  # fmt: skip


def hold_attributes(found: Any, event: Event) -> None:
    """Hold what the SDK has read against an event."""
    assert (found.get_specversion(), found.get_id(), found.get_source()) == (
        "1.0", event.id, "/bot",
    )  # fmt: skip
    assert found.get_type() == (_without_controls(event.type or "") or "event")
    assert (found.get_subject() or "") == _without_controls(event.sender_id or "")
    assert found.get_datacontenttype() == "application/json"
    if event.timestamp is None:
        return  # the SDK takes the time of reading
    try:
        wanted = datetime.fromtimestamp(event.timestamp, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return  # no calendar has it
    assert found.get_time() == wanted


def _without_controls(text: str) -> str:
    """Return what a String of CloudEvents may hold of a text."""
    return "".join(
        each for each in text
        if not (ord(each) < 0x20 or 0x7F <= ord(each) < 0xA0 or 0xFDD0 <= ord(each) <= 0xFDEF
                or ord(each) & 0xFFFE == 0xFFFE)
    )  # fmt: skip


def _folds(event: Event) -> bool:
    """Return whether two given names differ by their case alone."""
    names = [name.casefold() for name in event.given_headers]
    return len(set(names)) < len(names)
