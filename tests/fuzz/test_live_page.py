"""Whatever is sent to the live page: an answer in words, never a 5xx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from asked_from import asked_from
from event_brokers import EventBroker
from event_brokers.testing import MemoryBroker
from event_brokers_monitor import application
from fuzz.conftest import Fuzz

PATHS = [
    "", "login", "page.js", "api/stream", "api/passing", "api/dead-letters", "api/publish",
    "api/dead-letters/retry", "api/dead-letters/drop", "api/conversations", "api/conversation",
    "api/whereabouts", "api", "../etc/passwd", "files/page.js", "%2e%2e/run.py",
]  # fmt: skip
NAMES = st.sampled_from(
    ["destination", "id", "sender_id", "ids", "reason", "all", "event", "token"]
)
TEXTS = st.sampled_from(["memory", "nowhere", "", "\x00", "ä\u202e"]) | st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXTS, inner, max_size=4),
    max_leaves=10,
)


@pytest.fixture
def page(tmp_path: Path, alone: None) -> Iterator[tuple[TestClient, EventBroker]]:  # noqa: ARG001
    """Return a client of a page, and the one broker that it shows."""
    with MemoryBroker().start(spool=str(tmp_path / "spool")) as broker:
        yield asked_from(application()), broker


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stream end at once: here it is what is asked that counts."""
    monkeypatch.setattr("event_brokers_monitor.streams.STREAM_SECONDS", 0.0)


@pytest.mark.usefixtures("brief")
def test_whatever_is_asked_is_answered_in_words(
    fuzz: Fuzz, page: tuple[TestClient, EventBroker]
) -> None:
    """Never a 5xx, never a traceback; and the broker's counts still add up."""
    client, broker = page

    @settings(max_examples=150)
    @given(
        path=st.sampled_from(PATHS) | st.text(max_size=20).map(lambda text: f"api/{text!r}"),
        method=st.sampled_from(["GET", "POST", "POST", "HEAD", "OPTIONS", "DELETE"]),
        parameters=st.dictionaries(NAMES, TEXTS, max_size=3),
        body=st.binary(max_size=50) | JSON.map(lambda found: json.dumps(found).encode()),
        kind=st.sampled_from(["application/json", "application/json; charset=utf-8", "text/html"]),
        number=st.sampled_from(["", "1", "-1", "nan", "inf", "1e308", "99999999999999", "x"]),
    )
    def check(  # noqa: PLR0913, PLR0917 - all that a request can have
        path: str, method: str, parameters: dict[str, str], body: bytes, kind: str, number: str
    ) -> None:
        headers = {"content-type": kind, **({"last-event-id": number} if number else {})}
        answered = client.request(
            method, f"/{path}", params=parameters, content=body, headers=headers
        )
        assert answered.status_code < 500
        if answered.status_code >= 400 and method != "HEAD" and path != "login":
            assert set(answered.json()) == {"error"}

    fuzz(check)
    status = broker.status()
    assert status.accepted == status.delivered + status.pending + status.dead_letters
