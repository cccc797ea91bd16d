"""Pages of other distributions in the server of `event-brokers run`: the live one, a broken one."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import event_brokers
from asked_from import AWAY, asked_from
from command import Commands
from event_brokers_assistant import Agent, InMemoryTrackerStore
from event_brokers_assistant.access import Access
from event_brokers_assistant.assembly import Assistant
from event_brokers_assistant.server import application
from running_assistant import RunningAssistant
from stand_in import write_page


@pytest.fixture
def assistant(tmp_path: Path, alone: None) -> Iterator[Assistant]:  # noqa: ARG001
    """Return an assistant that streams into SQLite."""
    with event_brokers.connect({"type": "sql", "db": str(tmp_path / "events.db")}) as broker:
        agent = Agent(tracker_store=InMemoryTrackerStore(event_broker=broker))
        yield Assistant(agent, broker, None, "in memory")


def test_run_serves_the_live_page_with_a_link(commands: Commands) -> None:
    """It shows the stream of the conversations, and ends with the server."""
    endpoints = {"event_broker": {"type": "sql", "db": "events.db"}}
    with RunningAssistant(commands, endpoints) as running:
        assert 'href="/monitor/"' in running.client.get("/").text
        assert "<title>event-brokers</title>" in running.client.get("/monitor/").text
        assert running.client.get("/monitor").status_code == 307
        running.say("hello")
        shown = running.client.get("/monitor/api/stream").text
        assert re.search(r'"place":"type sql, dialect sqlite, db events.db', shown)
        assert re.search(r'"accepted":[1-9]', shown)
        assert running.stop().code == 0


def test_the_token_of_the_server_guards_the_page(assistant: Assistant) -> None:
    """As a header, or as the cookie of whoever has given it to the page."""
    client = asked_from(application(assistant, Access(token="right")), AWAY)
    assert client.get("/monitor/page.js").status_code == 401
    headers = {"authorization": "Bearer right"}
    assert client.get("/monitor/page.js", headers=headers).status_code == 200


def test_without_a_token_the_page_is_for_this_machine_alone(assistant: Assistant) -> None:
    """Also where the assistant itself answers everybody."""
    app = application(assistant, Access())
    assert asked_from(app).get("/monitor/").status_code == 200
    away = asked_from(app, AWAY)
    assert away.get("/").status_code == 200
    assert away.get("/monitor/").status_code == 403


@pytest.mark.parametrize("path", ["/", "/page.js", "/api/dead-letters?destination=sql"])
def test_pages_that_may_call_the_api_cannot_read_the_live_page(
    assistant: Assistant, path: str
) -> None:
    """Whatever `--cors` says: that is for conversations, and the page shows every broker."""
    client = asked_from(application(assistant, Access(origins=["*"])), follow_redirects=False)
    other = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    allowed = "access-control-allow-origin"
    assert client.get("/healthz", headers=other).headers[allowed] == "*"
    assert client.get("/nowhere", headers=other).headers[allowed] == "*"
    wanted = {**other, "access-control-request-method": "POST"}
    assert client.options("/webhooks/rest/webhook", headers=wanted).headers[allowed] == "*"
    for method in ("GET", "POST", "OPTIONS"):
        answered = client.request(method, f"/monitor{path}", headers=wanted)
        assert allowed not in answered.headers
    if path.startswith("/api"):
        assert client.get(f"/monitor{path}", headers=other).status_code == 403


def test_a_page_that_does_not_work_is_named_and_the_assistant_answers(
    assistant: Assistant,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever it raises; it is not linked."""
    folder = tmp_path / "broken"
    write_page(folder, "broken", "raise RuntimeError('it is broken')", "broken-page")
    monkeypatch.syspath_prepend(str(folder))
    with caplog.at_level(logging.WARNING):
        client = asked_from(application(assistant, Access()))
    assert "/broken: broken-page" in caplog.text
    assert "cannot be used: RuntimeError: it is broken" in caplog.text
    page = client.get("/").text
    assert "/broken" not in page
    assert "/monitor/" in page


BEGINS_BADLY = """
from contextlib import asynccontextmanager
from starlette.applications import Starlette

@asynccontextmanager
async def life(app):
    raise RuntimeError("it cannot begin")
    yield

def page(token):
    return Starlette(lifespan=life)
"""
ENDS_BADLY = BEGINS_BADLY.replace(
    'raise RuntimeError("it cannot begin")\n    yield',
    'yield\n    raise RuntimeError("it cannot end")',
)


def test_a_page_whose_life_fails_to_begin_is_left_out(
    assistant: Assistant,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is named and not linked; the assistant answers, and so do the other pages."""
    write_page(tmp_path / "broken", "broken", BEGINS_BADLY, "page-that-begins-badly")
    monkeypatch.syspath_prepend(str(tmp_path / "broken"))
    with caplog.at_level(logging.WARNING), asked_from(application(assistant, Access())) as client:
        assert "/broken: cannot be used: RuntimeError: it cannot begin" in caplog.text
        assert "/broken" not in client.get("/").text
        assert client.get("/broken/").status_code == 404
        assert client.get("/monitor/").status_code == 200


def test_a_page_whose_life_fails_to_end_ends_nothing_else(
    assistant: Assistant,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is named; what could not be streamed is not streamed any more either."""
    write_page(tmp_path / "broken", "broken", ENDS_BADLY, "page-that-ends-badly")
    monkeypatch.syspath_prepend(str(tmp_path / "broken"))
    app = application(assistant, Access())

    async def live() -> set[asyncio.Task[object]]:
        async with app.router.lifespan_context(app):
            assert len(asyncio.all_tasks()) > 1
        return asyncio.all_tasks() - {asyncio.current_task()}

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(live()) == set()
    assert "/broken: failed at the end: RuntimeError: it cannot end" in caplog.text
