"""One request: the events it carries, as a body and headers."""

from __future__ import annotations

import base64
import gzip
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from event_brokers import Event
from event_brokers_http import cloud_events
from event_brokers_http.header_text import encoded_name, encoded_value
from event_brokers_http.options import HTTPOptions
from event_brokers_http.signature import keys_of, signature_headers

_JSON, _LINES = "application/json", "application/x-ndjson"
_USER_AGENT = "event-brokers-http"


@dataclass(frozen=True)
class Request:
    """What is sent, once or again.

    Attributes:
        body: as it is sent. Not in the repr, like the headers: they hold events and secrets.
        headers: name -> value.
    """

    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)


def request_of(events: Sequence[Event], options: HTTPOptions) -> Request:
    """Return the request that carries events.

    Parameters:
        events: one where `batch` is none.
        options: say in which form.
    """
    body, own = _content(events, options)
    key = _key(events)
    headers = {**login_headers(options), **own, "Idempotency-Key": key}
    if options.compression == "gzip":
        body = gzip.compress(body, mtime=0)
        headers["Content-Encoding"] = "gzip"
    if options.signing_secret is not None:
        keys = keys_of(options.signing_secret.reveal())
        headers |= signature_headers(keys, key, int(time.time()), body)
    return Request(body, headers)


def login_headers(options: HTTPOptions) -> dict[str, str]:
    """Return what every request has: who asks, and what the option `headers` says."""
    given = {name: value.reveal() for name, value in (options.headers or {}).items()}
    login = {}
    if options.token is not None:
        login["Authorization"] = f"Bearer {options.token.reveal()}"
    elif options.user is not None:
        words = f"{options.user}:{options.revealed_password or ''}"
        login["Authorization"] = f"Basic {base64.b64encode(words.encode()).decode()}"
    own = (
        {}
        if any(name.casefold() == "user-agent" for name in given)
        else {"User-Agent": _USER_AGENT}
    )
    return {**own, **given, **login}


def _content(events: Sequence[Event], options: HTTPOptions) -> tuple[bytes, dict[str, str]]:
    """Return the body, and the headers that say what it is."""
    parts = [event.body for event in events]
    if options.format == "cloudevents":
        parts = [cloud_events.as_json(event, options.source) for event in events]
    if options.batch == "lines":
        return b"\n".join(parts) + b"\n", {"Content-Type": _LINES}
    is_plain = options.format == "json"
    if options.batch == "array":
        kind = _JSON if is_plain else cloud_events.SEVERAL
        return b"[" + b",".join(parts) + b"]", {"Content-Type": kind}
    (event,), (body,) = events, parts
    if options.format == "cloudevents-binary":
        return body, {**_event_headers(event), **cloud_events.as_headers(event, options.source)}
    return body, {**_event_headers(event), "Content-Type": _JSON if is_plain else cloud_events.ONE}


def _event_headers(event: Event) -> dict[str, str]:
    """Return what travels beside the body of one event; no name is one that HTTP has a use for."""
    given = {
        f"Event-Header-{encoded_name(name)}": encoded_value(text)
        for name, text in event.given_headers.items()
    }
    kind = event.headers.get("event_type")
    return given if kind is None else {**given, "Event-Type": encoded_value(kind)}


def _key(events: Sequence[Event]) -> str:
    """Return what is the same whenever the same events are sent again."""
    if len(events) == 1:
        return encoded_value(events[0].id)
    # no id holds a line feed
    return hashlib.sha256("\n".join(event.id for event in events).encode()).hexdigest()
