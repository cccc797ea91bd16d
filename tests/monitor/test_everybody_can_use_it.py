"""Who uses the page with the keyboard or a screen reader, in the dark, or on a slow line."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from event_brokers import EventBroker, RejectedEvents
from event_brokers.delays import Delays
from event_brokers.testing import MemoryBroker
from event_brokers_monitor import Access
from waiting import wait_until

pytestmark = [pytest.mark.xdist_group("chromium"), pytest.mark.timeout(180)]

Serve = Callable[..., str]
QUICK = Delays(first=0.05, first_halted=0.05, longest=0.2)
MOST_BYTES = 60_000
# everything that can be reached, in order, but what is inside of a closed <details>
REACHABLE = """
() => [...document.querySelectorAll(
  'a[href], button, input, select, summary, [tabindex="0"]')]
  .filter((each) => each.checkVisibility({ contentVisibilityAuto: true }))
  .map((each) => (each.dataset.n = each.dataset.n ?? String(Math.random())))
"""
FOCUSED = "() => document.activeElement.dataset.n ?? null"
OUTLINE = "() => getComputedStyle(document.activeElement).outlineStyle"


def fill(memory: MemoryBroker, broker: EventBroker) -> None:
    """Let two events be dead letters, and one wait."""

    def refuse(batch: Any) -> None:
        raise RejectedEvents({each.id: "too large" for each in batch})

    memory.publishes.append(refuse)
    broker.publish_many([{"sender_id": "ada", "event": "user", "text": "hi"}] * 2)
    wait_until(lambda: broker.status().dead_letters == 2)
    memory.hang()
    broker.publish({"sender_id": "ada", "event": "bot", "text": "hello"})


def open_all(page: Page) -> None:
    """Open everything that can be opened on the page."""
    page.get_by_role("checkbox", name="Show them").check()
    expect(page.locator("#passing tr")).to_have_count(1)
    page.get_by_role("button", name="Look for conversations").click()
    page.locator("#conversations button").first.click()
    expect(page.locator(".timeline li")).to_have_count(3)
    page.get_by_role("button", name="Publish").click()
    expect(page.locator("#publish-steps")).to_contain_text("Accepted")
    for summary in page.locator("summary").all():
        summary.click()


@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_no_rule_of_accessibility_is_broken(page: Page, serve: Serve, tmp_path: Path) -> None:
    """Those of axe-core: as it opens, with everything open, with a question, and in an outage."""
    memory = MemoryBroker(QUICK)
    with memory.start(spool=str(tmp_path / "spool")) as broker, MemoryBroker(QUICK).start():
        fill(memory, broker)
        page.goto(serve(show_bodies=True))
        expect(page.locator("#letters article")).to_have_count(1)
        assert_accessible(page)
        open_all(page)
        assert_accessible(page)
        page.get_by_role("button", name="Drop all").click()
        assert_accessible(page)
        page.keyboard.press("Escape")
        memory.fail(1000)
        memory.answer()
        expect(page.locator("#sentence")).to_contain_text("Not connected")
        assert_accessible(page)
        memory.publishes.clear()


def test_what_somebody_reads_stays_while_dead_letters_come(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    """What is open stays open, and the focus where it is; the numbers go on."""
    memory = MemoryBroker(QUICK)
    with memory.start(spool=str(tmp_path / "spool")) as broker:
        fill(memory, broker)
        page.goto(serve())
        page.locator("#letters summary").click()
        drop = page.get_by_role("button", name="Drop it").first
        drop.focus()

        def refuse(batch: Any) -> None:
            raise RejectedEvents({each.id: "too small" for each in batch})

        memory.publishes.append(refuse)
        memory.answer()
        expect(page.locator("#letters-summary")).to_have_text("3 dead letters for 2 reasons")
        expect(drop).to_be_visible()
        expect(drop).to_be_focused()


@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_the_question_for_the_token_breaks_no_rule_either(page: Page, serve: Serve) -> None:
    """It has a label, and a heading."""
    page.goto(serve(access=Access("right")))
    assert_accessible(page)


def assert_accessible(page: Page) -> None:
    """Hold the page against the rules of axe-core."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_the_keyboard_reaches_everything_in_order(page: Page, serve: Serve, tmp_path: Path) -> None:
    """Tab goes from one to the next as they stand there, and is seen where it is."""
    memory = MemoryBroker(QUICK)
    with memory.start(spool=str(tmp_path / "spool")) as broker:
        fill(memory, broker)
        page.goto(serve())
        expect(page.locator("#letters article")).to_have_count(1)
        open_all(page)
        page.locator(".skip").focus()
        wanted = page.evaluate(REACHABLE)
        reached = [page.evaluate(FOCUSED)]
        assert len(wanted) > 20
        page.keyboard.press("Tab")
        while (focused := page.evaluate(FOCUSED)) is not None and focused not in reached:
            reached.append(focused)
            assert page.evaluate(OUTLINE) != "none"
            page.keyboard.press("Tab")
        assert reached == wanted
        memory.answer()


def test_the_keyboard_alone_retries_dead_letters(page: Page, serve: Serve, tmp_path: Path) -> None:
    """Escape takes the question away; Enter answers it; the focus comes back to where it was."""
    memory = MemoryBroker(QUICK)
    with memory.start(spool=str(tmp_path / "spool")) as broker:
        fill(memory, broker)
        page.goto(serve())
        retry = page.get_by_role("button", name="Retry the group")
        retry.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#confirm")).to_be_visible()
        expect(page.get_by_role("button", name="Cancel")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#confirm")).to_be_hidden()
        expect(retry).to_be_focused()
        assert broker.status().dead_letters == 2
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#letters-summary")).to_contain_text("2 events wait again")
        memory.answer()
        wait_until(lambda: len(memory.arrived) == 3)


def test_the_page_is_small_and_whole_without_the_internet(page: Page, serve: Serve) -> None:
    """All that it loads comes from its own server, and has 60 kB at most."""
    with MemoryBroker(QUICK).start():
        url = serve()
        addresses: list[str] = []
        page.on("request", lambda request: addresses.append(request.url))
        page.goto(url)
        expect(page.locator("#sentence")).to_contain_text("Connect")
        assert all(address.startswith(f"{url}/") for address in addresses)
        loaded = {address.removeprefix(f"{url}/") or "index.html" for address in addresses}
        folder = files("event_brokers_monitor") / "files"
        names = {each.name for each in folder.iterdir()} - {"login.html"}
        assert names <= loaded
        assert sum(len((folder / name).read_bytes()) for name in names) <= MOST_BYTES


def test_a_screen_reader_hears_of_a_state_once(page: Page, serve: Serve) -> None:
    """When it changes; what changes every second is in no live region."""
    memory = MemoryBroker(QUICK)
    with memory.start() as broker:
        broker.publish({"event": "user"})
        page.goto(serve())
        expect(page.locator("#announced")).to_have_text("memory: Connected")
        nothing = "None: the broker has refused nothing."
        expect(page.locator("#letters-summary")).to_have_text(nothing)
        page.evaluate(
            """() => {
              window.told = 0;
              const count = (changes) => (window.told += changes.length);
              // not whether it is live: on a busy machine that may change and be told, as it should
              const regions = '[role=status]:not(#connection), [aria-live]';
              for (const each of document.querySelectorAll(regions))
                new MutationObserver(count).observe(each, { childList: true, characterData: true,
                  subtree: true });
            }"""
        )
        before = page.locator("#sentence").text_content()
        assert before is not None
        expect(page.locator("#sentence")).not_to_have_text(before)
        assert page.evaluate("() => window.told") == 0
