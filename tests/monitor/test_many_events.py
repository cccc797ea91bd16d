"""Many events pass, and the page stays as small as it was; and its picture for the docs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

import event_brokers
from event_brokers import EventBroker, RejectedEvents
from event_brokers.delays import Delays
from event_brokers.testing import MemoryBroker
from monitor.seeing import until_seen
from waiting import wait_until
from wheels import ROOT

pytestmark = [pytest.mark.xdist_group("chromium"), pytest.mark.timeout(600)]

Serve = Callable[..., str]
PICTURE = ROOT / "docs" / "monitor.png"
MANY, SOME = 100_000, 5_000
MOST_HEAP_BYTES = 100 * 1000**2
MOST_PICTURE_BYTES = 150_000
BATCH = 1_000


def test_a_hundred_thousand_events_pass_and_the_page_does_not_grow(
    page: Page, serve: Serve, tmp_path: Path, is_whole_page: bool
) -> None:
    """Its heap stays below 100 MB, its rows below what a person can read; all are counted."""
    count = MANY if is_whole_page else SOME
    section = {"type": "file", "path": str(tmp_path / "events.jsonl")}
    with event_brokers.connect(section) as broker:
        broker.publish({"event": "user", "sender_id": "first"})
        page.goto(serve(show_bodies=True))
        page.get_by_role("checkbox", name="Show them").check()
        until_seen(broker, lambda: page.locator("#passing tr").count() > 0)
        for begin in range(0, count, BATCH):
            broker.publish_many(
                {"event": "user", "sender_id": f"s{number % 97}", "text": "x" * 200, "n": number}
                for number in range(begin, begin + BATCH)
            )
            broker.flush(30)
            # as fast as the page is told, so that they pass it and do not only pass its server
            expect(page.locator("#passing tr").first).to_contain_text(f'"n":{begin + BATCH - 1}}}')
            assert page.locator("#passing tr").count() <= 100
        expect(page.locator("#destinations td").nth(1)).to_have_text("0")
        assert heap(page) < MOST_HEAP_BYTES
        nodes = page.evaluate("() => document.querySelectorAll('*').length")
        assert nodes < 2_000


def heap(page: Page) -> float:
    """Return the bytes that the page's own objects take once nothing is left to be collected."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "JSHeapUsedSize"))


def test_the_picture_shows_the_page_as_it_is(
    chromium: Browser,
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_whole_page: bool,
) -> None:
    """Small enough for a README; with `--whole-page` the one in the documentation is taken anew."""
    file = PICTURE if is_whole_page else tmp_path / "monitor.png"
    seconds = 36.0 if is_whole_page else 2.0
    monkeypatch.chdir(tmp_path)
    memory = MemoryBroker(Delays(first=0.2, longest=1.0))
    settings = memory.settings(spool="events.spool", max_bytes=20_000_000)
    context = chromium.new_context(color_scheme="light", viewport={"width": 1000, "height": 1300})
    with EventBroker(settings, memory.delays, name="conversations") as broker, context:
        picture = context.new_page()
        picture.goto(serve())
        memory.publishes.append(_refuse)
        broker.publish_many({"event": "slot", "sender_id": "ada", "n": n} for n in range(3))
        for is_away in (False, True, False):
            if is_away:
                memory.fail(10_000)
            _live_for(seconds / 2 if is_away else seconds, broker)
            memory.publishes.clear()
        expect(picture.locator("#letters article")).to_have_count(1)
        wait_until(lambda: broker.status().pending == 0)
        expect(picture.locator("#sentence")).to_contain_text("Connected")
        picture.screenshot(path=file, clip=_upper_part(picture))
    assert PICTURE.stat().st_size <= MOST_PICTURE_BYTES
    assert file.stat().st_size <= MOST_PICTURE_BYTES


def _refuse(batch: Any) -> None:
    raise RejectedEvents({each.id: "the schema knows no field 'n'" for each in batch})


def _live_for(seconds: float, broker: EventBroker) -> None:
    """Publish a stream of events that swells and ebbs."""
    end, pause, number = time.monotonic() + seconds, threading.Event(), 0
    while time.monotonic() < end:
        number += 1
        broker.publish({"event": "user", "sender_id": f"s{number % 7}", "text": "hi"})
        pause.wait(0.004 + 0.02 * abs((number % 400) / 200 - 1))


def _upper_part(page: Page) -> Any:
    """Return the part of the page that ends with the dead letters."""
    box = page.locator("section").filter(has=page.locator("#letters")).bounding_box()
    assert box is not None
    return {"x": 0, "y": 0, "width": 1000, "height": box["y"] + box["height"] + 10}
