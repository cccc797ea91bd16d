"""What a person sees on the page in a real Chromium: outages, dead letters, events, a test."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

import event_brokers
from command import Commands
from event_brokers import ConfigurationError, EventBroker, RejectedEvents
from event_brokers.delays import Delays
from event_brokers.destinations import destinations
from event_brokers.testing import MemoryBroker
from event_brokers_monitor import Access
from monitor.seeing import until_seen
from servers import PostgreSQL
from waiting import next_line, wait_until

pytestmark = [pytest.mark.xdist_group("chromium"), pytest.mark.timeout(180)]

Serve = Callable[..., str]
QUICK = Delays(first=0.05, first_halted=0.05, longest=0.2)


def event(number: int, sender: str = "default") -> dict[str, Any]:
    """Return one of many events."""
    return {"sender_id": sender, "event": "user", "text": f"number {number}"}


def buried(memory: MemoryBroker, broker: EventBroker, reasons: dict[str, int]) -> None:
    """Let the broker refuse so many events for each reason."""
    events = [event(number) for number in range(sum(reasons.values()))]
    why = [reason for reason, count in reasons.items() for _ in range(count)]

    def refuse(batch: Any) -> None:
        raise RejectedEvents({each.id: reason for each, reason in zip(batch, why, strict=True)})

    memory.publishes.append(refuse)
    broker.publish_many(events)
    wait_until(lambda: broker.status().dead_letters == len(events))


def refuse_next(memory: MemoryBroker, reason: str) -> None:
    """Let the broker refuse every event of the next batch."""

    def refuse(batch: Any) -> None:
        raise RejectedEvents({each.id: reason for each in batch})

    memory.publishes.append(refuse)


@pytest.mark.xdist_group("postgresql")
def test_an_outage_is_seen_as_it_begins_and_as_it_ends(
    postgresql: PostgreSQL, name: str, commands: Commands, page: Page
) -> None:
    """Of a real server, which is killed and started; the page runs in a process of its own."""
    section = {
        "type": "sql", "dialect": "postgresql", "url": postgresql.host, "port": postgresql.port,
        "db": postgresql.db, "username": postgresql.username, "password": postgresql.password,
        "table": name, "delivery": {"spool": str(commands.folder / "events.spool")},
    }  # fmt: skip
    commands.broker(section)
    with event_brokers.connect(commands.folder / "endpoints.yml") as broker:
        broker.publish(event(0))
        broker.flush(20)
        process = commands.start("monitor", "--port", "0", stderr=None)
        with process:
            page.goto(next_line(process).removeprefix("the page is at "))
            expect(page.locator("#sentence")).to_have_text(re.compile("^Connected for .*; it "))
            expect(page.locator("#announced")).to_have_text("sql: Connected")
            postgresql.kill()
            broker.publish_many([event(1), event(2)])
            expect(page.locator("#sentence")).to_have_text(
                re.compile("^Not connected for .*; it connects again")
            )
            expect(page.locator("#error")).to_contain_text("refused")
            expect(page.locator("#destinations td").nth(1)).to_have_text("2")
            assert postgresql.password not in page.content()
            postgresql.recover()
            expect(page.locator("#sentence")).to_have_text(re.compile("^Connected"), timeout=60_000)
            expect(page.locator("#error")).to_be_hidden()
            expect(page.locator("#destinations td").nth(1)).to_have_text("0")
            expect(page.locator("#announced")).to_have_text("sql: Connected")
            process.terminate()
            assert process.wait(20) == 128 + 15
        expect(page.locator("#connection")).to_contain_text("does not answer")


def test_what_only_a_person_can_mend_is_said_in_words(page: Page, serve: Serve) -> None:
    """Of a broker in this process, whose latency is known as well."""
    memory = MemoryBroker(QUICK)
    with memory.start() as broker:
        page.goto(serve())
        broker.publish(event(1))
        expect(page.locator("#latency")).to_contain_text(re.compile(r"mean: .* at most; 95 of 100"))
        memory.fail(1000, ConfigurationError("the password is wrong"))
        broker.publish(event(2))
        expect(page.locator("#sentence")).to_contain_text("a person must change something")
        expect(page.locator("#error")).to_have_text(re.compile("the password is wrong"))
        memory.publishes.clear()
        expect(page.locator("#sentence")).to_contain_text("Connected")


def test_a_group_of_dead_letters_is_retried_and_one_is_dropped(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    """What is chosen is asked for first, and nothing else goes with it."""
    memory = MemoryBroker(QUICK)
    with memory.start(spool=str(tmp_path / "spool")) as broker:
        page.goto(serve())
        buried(memory, broker, {"too large": 3, "no such field": 2})
        expect(page.locator("#letters-summary")).to_have_text("5 dead letters for 2 reasons")
        first = page.locator("#letters article").first
        expect(first.locator("h3")).to_have_text("too large")
        expect(first).to_contain_text("3 events, first ")
        first.get_by_role("button", name="Retry the group").click()
        expect(page.locator("#confirm-question")).to_contain_text("3 dead letters")
        page.get_by_role("button", name="Cancel").click()
        assert broker.status().dead_letters == 5
        first.get_by_role("button", name="Retry the group").click()
        page.locator("#confirm-yes").click()
        expect(page.locator("#letters-summary")).to_contain_text("2 dead letters for 1 reason")
        wait_until(lambda: len(memory.arrived) == 3)
        expect(page.locator("#letters h3")).to_have_text(["no such field"])
        page.locator("#letters summary").click()
        page.get_by_role("button", name="Drop it").first.click()
        page.locator("#confirm-yes").click()
        expect(page.locator("#letters-summary")).to_contain_text("1 dead letter for 1 reason")
        page.get_by_role("button", name="Retry all").click()
        expect(page.locator("#letters-summary")).to_contain_text("None")
        wait_until(lambda: len(memory.arrived) == 4)
        assert broker.status().accepted == 4


def test_what_comes_behind_the_question_is_not_dropped_with_it(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    """Two were asked about, and two go, though the page counts three by then."""
    memory = MemoryBroker(QUICK)
    with memory.start(spool=str(tmp_path / "spool")) as broker:
        page.goto(serve())
        buried(memory, broker, {"too large": 2})
        expect(page.locator("#letters-summary")).to_have_text("2 dead letters for 1 reason")
        page.get_by_role("button", name="Drop all").click()
        expect(page.locator("#confirm-question")).to_contain_text("2 dead letters")
        refuse_next(memory, "too large")
        broker.publish(event(2))
        expect(page.locator("#letters-summary")).to_have_text("3 dead letters for 1 reason")
        page.locator("#confirm-yes").click()
        expect(page.locator("#letters-summary")).to_contain_text("2 events dropped")
        assert broker.status().dead_letters == 1


def test_a_question_that_others_have_answered_changes_nothing(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    """Somebody else has retried the last one; the page says so, and shows what is left."""
    memory = MemoryBroker(QUICK)
    with memory.start(spool=str(tmp_path / "spool")) as broker:
        page.goto(serve())
        buried(memory, broker, {"too large": 3})
        expect(page.locator("#letters-summary")).to_have_text("3 dead letters for 1 reason")
        page.get_by_role("button", name="Drop all").click()
        (destination,) = destinations()
        with destination.dead_letters() as letters:
            last = [letter.event.id for letter in letters][-1]
        destination.retry([last])
        expect(page.locator("#letters article")).to_contain_text("2 events")
        page.locator("#confirm-yes").click()
        expect(page.locator("#letters-summary")).to_contain_text("no longer those")
        assert broker.status().dead_letters == 2


def test_a_question_goes_with_the_destination_that_it_is_about(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    """What the page shows next keeps its dead letters."""
    other, memory = MemoryBroker(QUICK), MemoryBroker(QUICK)
    with other.start(spool=str(tmp_path / "other")) as staying:
        buried(other, staying, {"too small": 1})
        leaving = memory.start(spool=str(tmp_path / "spool"))
        buried(memory, leaving, {"too large": 2})
        page.goto(serve())
        page.locator("#chosen").select_option("memory-2")
        expect(page.locator("#letters-summary")).to_have_text("2 dead letters for 1 reason")
        page.get_by_role("button", name="Drop all").click()
        expect(page.locator("#confirm")).to_be_visible()
        leaving.close()
        expect(page.locator("#confirm")).to_be_hidden()
        expect(page.locator("#letters-summary")).to_have_text("1 dead letter for 1 reason")
        page.get_by_role("button", name="Drop all").click()
        expect(page.locator("#confirm")).to_be_visible()
        staying.close()
        expect(page.locator("#confirm")).to_be_hidden()
        expect(page.locator("#no-destinations")).to_be_visible()


def test_dead_letters_in_memory_can_only_be_looked_at(page: Page, serve: Serve) -> None:
    """There is no button that would do nothing."""
    memory = MemoryBroker(QUICK)
    with memory.start() as broker:
        buried(memory, broker, {"too large": 1})
        page.goto(serve())
        expect(page.locator("#letters-summary")).to_contain_text("can only be looked at")
        assert page.get_by_role("button", name="Retry").count() == 0
        page.locator("#letters summary").click()
        assert page.get_by_role("button", name="Drop").count() == 0


def test_a_test_event_is_followed_to_the_confirm(page: Page, serve: Serve) -> None:
    """Accepted first, and delivered when the broker has confirmed it."""
    memory = MemoryBroker(QUICK)
    memory.hang()
    with memory.start() as broker:
        page.goto(serve())
        expect(page.locator("#sentence")).not_to_be_empty()
        page.get_by_label("Conversation (sender_id)").fill("somebody")
        page.get_by_role("button", name="Publish").click()
        steps = page.locator("#publish-steps li")
        expect(steps.first).to_contain_text("Accepted as ")
        assert broker.status().pending == 1
        expect(steps).to_have_count(1)
        memory.answer()
        expect(steps.nth(1)).to_contain_text("the broker has confirmed it within")
    assert [each.sender_id for each in memory.arrived] == ["somebody"]


def test_events_are_shown_as_they_pass_only_when_somebody_wants_it(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    """Off at first; then what arrives at the broker, without a body, and a conversation of it."""
    section = {"type": "file", "path": str(tmp_path / "events.jsonl")}
    with event_brokers.connect(section) as broker:
        broker.publish(event(0))
        page.goto(serve())
        expect(page.locator("#sentence")).to_contain_text("Connected")
        expect(page.locator("#passing-area")).to_be_hidden()
        page.get_by_role("checkbox", name="Show them").check()
        expect(page.locator("#passing-note")).to_contain_text("as they arrive at the broker")
        until_seen(broker, lambda: page.locator("#passing tr").count() > 0)
        broker.publish(event(1, "bob"))
        expect(page.locator("#passing tr").filter(has_text="bob")).to_have_count(1)
        page.get_by_role("button", name="Look for conversations").click()
        page.get_by_role("button", name="bob 1 event").click()
        expect(page.locator(".timeline li")).to_have_text(re.compile("user .*has passed"))
        assert "number 1" not in page.content()
        page.get_by_role("checkbox", name="Show them").uncheck()
        expect(page.locator("#passing-area")).to_be_hidden()


def test_bodies_are_shown_where_they_are_asked_for(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    """Of what waits in a spool whose broker cannot be read from, of dead letters, in timelines."""
    memory = MemoryBroker(QUICK)
    with memory.start(spool=str(tmp_path / "spool")) as broker:
        page.goto(serve(show_bodies=True))
        buried(memory, broker, {"too large": 1})
        page.locator("#letters summary").click()
        expect(page.locator("#letters pre")).to_contain_text('"text":"number 0"')
        page.get_by_role("checkbox", name="Show them").check()
        expect(page.locator("#passing-note")).to_contain_text("what leaves at once is missing")
        memory.hang()
        broker.publish(event(7))
        expect(page.locator("#passing pre")).to_contain_text('"text":"number 7"')
        page.get_by_role("button", name="Look for conversations").click()
        page.get_by_role("button", name="default 2 events, 1 waiting, 1 dead letter").click()
        expect(page.locator(".timeline pre")).to_have_count(2)
        expect(page.locator(".timeline")).to_contain_text("is a dead letter: too large")
        memory.answer()


HOSTILE = [
    "<img src=x onerror=\"document.title='taken'\">",
    "<script>document.title='taken'</script>",
    "\"><svg onload=document.title='taken'>",
    "javascript:document.title='taken'",
    "{{7*7}}${7*7}&lt;b&gt;",
    "\u202egnp.exe",
]


def test_hostile_names_are_text_wherever_they_are_shown(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    """In dead letters, reasons, bodies, events as they pass, and conversations."""
    memory = MemoryBroker(QUICK)
    with memory.start(spool=str(tmp_path / "spool")) as broker:
        page.goto(serve(show_bodies=True))
        events = [{"sender_id": each, "event": each, "text": each} for each in HOSTILE]
        memory.publishes.append(_refuse_with_their_own_names)
        broker.publish_many(events)
        expect(page.locator("#letters article")).to_have_count(len(HOSTILE))
        page.get_by_role("checkbox", name="Show them").check()
        expect(page.locator("#passing-note")).to_contain_text("Seen")
        memory.hang()
        broker.publish_many(events)
        expect(page.locator("#passing tr")).to_have_count(len(HOSTILE))
        page.get_by_role("button", name="Look for conversations").click()
        expect(page.locator("#conversations button")).to_have_count(len(HOSTILE))
        for name in HOSTILE:
            page.locator("#conversations button").filter(has_text=name).first.click()
            expect(page.locator("#conversation h3")).to_have_text(name)
            expect(page.locator(".timeline li")).to_have_count(2)
        assert sorted(page.locator("#letters h3").all_text_contents()) == sorted(HOSTILE)
        for tag in ("img", "main script", "svg[onload]", "iframe", "a[href^=javascript]"):
            assert page.locator(tag).count() == 0
        assert page.title() == "event-brokers"
        memory.answer()


def _refuse_with_their_own_names(batch: Any) -> None:
    raise RejectedEvents({each.id: str(each.sender_id) for each in batch})


def test_several_destinations_are_chosen_from(page: Page, serve: Serve, tmp_path: Path) -> None:
    """One that is open here, and a spool of which nothing is known yet."""
    spool = {"type": "sql", "db": "none.db", "delivery": {"spool": str(tmp_path / "spool")}}
    with MemoryBroker(QUICK).start() as broker:
        broker.publish(event(1))
        page.goto(serve(spool))
        expect(page.locator("#destinations th")).to_have_text(["memory", "sql"])
        page.locator("#chosen").select_option("sql")
        expect(page.locator("#now-title")).to_have_text("sql")
        expect(page.locator("#sentence")).to_have_text("No process delivers now; nothing waits")
        expect(page.locator("#latency")).to_contain_text("Not known here")
        page.get_by_role("button", name="Publish").click()
        expect(page.locator("#publish-steps")).to_contain_text("nothing was published into")
    assert not (tmp_path / "spool").exists()


def test_the_page_asks_for_the_token(page: Page, serve: Serve) -> None:
    """Nothing is shown before, and a wrong one opens nothing."""
    with MemoryBroker(QUICK).start():
        page.goto(serve(access=Access("right")))
        expect(page.get_by_role("heading", level=2)).to_have_text("The token, please")
        page.get_by_label("Token", exact=True).fill("wrong")
        page.get_by_role("button").click()
        expect(page.get_by_role("alert")).to_have_text("This is not the token.")
        page.get_by_label("Token", exact=True).fill("right")
        page.get_by_role("button").click()
        expect(page.locator("#sentence")).to_contain_text("Connect")
        page.reload()
        expect(page.locator("#sentence")).to_contain_text("Connect")
        page.context.clear_cookies()
        expect(page.get_by_role("heading", name="The token, please")).to_be_visible()
