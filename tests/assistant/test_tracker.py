"""The state of a conversation, by the rules of Rasa 3.6."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import InvalidEvent
from event_brokers_assistant import DialogueStateTracker
from event_brokers_assistant.events import (
    ActionExecuted,
    ActionExecutionRejected,
    ActionReverted,
    ActiveLoop,
    AllSlotsReset,
    BotUttered,
    ConversationPaused,
    ConversationResumed,
    EntitiesAdded,
    Event,
    FollowupAction,
    LoopInterrupted,
    Restarted,
    SessionStarted,
    SlotSet,
    UserUtteranceReverted,
    UserUttered,
)

LISTEN = ActionExecuted("action_listen")


def tracker(*events: Event) -> DialogueStateTracker:
    """Return the tracker of a conversation in which this happened."""
    made = DialogueStateTracker("s", slots={"language": "de"})
    for event in events:
        made.update(event)
    return made


def test_slots_have_the_value_they_got_last() -> None:
    """Those of the domain begin with their own."""
    made = tracker(SlotSet("name", "Ada"), SlotSet("name", "Bob"), SlotSet("language", "fr"))
    assert made.slots == {"language": "fr", "name": "Bob"}
    assert made.get_slot("unheard of") is None


def test_resetting_slots_leaves_the_conversation() -> None:
    """Every slot has its initial value, and everything else stays."""
    made = tracker(UserUttered("hi"), SlotSet("name", "Ada"), AllSlotsReset())
    assert made.slots == {"language": "de", "name": None}
    assert made.latest_message is not None


def test_a_restart_forgets_everything_but_the_events() -> None:
    """And asks for a new session; what follows it is what counts."""
    made = tracker(UserUttered("hi"), SlotSet("name", "Ada"), ConversationPaused(), Restarted())
    assert (made.latest_message, made.paused, made.get_slot("name")) == (None, False, None)
    assert made.followup_action == "action_session_start"
    assert len(made.events) == 4
    made.update(UserUttered("again"))
    assert [event.type for event in made.events_after_latest_restart()] == ["user"]
    assert [event.type for event in made.applied_events()] == ["user"]


def test_a_new_session_forgets_the_one_before() -> None:
    """As a restart does, without asking for anything."""
    made = tracker(UserUttered("hi"), SlotSet("name", "Ada"), SessionStarted())
    assert (made.latest_message, made.get_slot("name")) == (None, None)
    assert made.followup_action == "action_listen"


def test_rewinding_takes_the_latest_message_back() -> None:
    """With all it led to, and the action that listened for it."""
    made = tracker(
        LISTEN, UserUttered("one"), SlotSet("name", "Ada"), BotUttered("1"),
        LISTEN, UserUttered("two"), SlotSet("name", "Bob"), BotUttered("2"),
        UserUtteranceReverted(),
    )  # fmt: skip
    assert made.latest_message is not None
    assert made.latest_message.text == "one"
    assert made.latest_bot_utterance is not None
    assert made.latest_bot_utterance.text == "1"
    assert made.get_slot("name") == "Ada"
    assert [event.type for event in made.applied_events()] == ["action", "user", "slot", "bot"]


def test_undoing_takes_the_latest_action_back() -> None:
    """With what followed it."""
    made = tracker(
        UserUttered("one"), ActionExecuted("action_a"), SlotSet("name", "Ada"), ActionReverted()
    )
    assert made.get_slot("name") is None
    assert made.latest_action_name is None
    assert [event.type for event in made.applied_events()] == ["user"]


def test_a_paused_conversation_goes_on_when_resumed() -> None:
    """The bot is silent in between."""
    made = tracker(ConversationPaused())
    assert made.paused
    made.update(ConversationResumed())
    assert not made.paused


def test_a_loop_is_active_until_it_is_ended() -> None:
    """It remembers the message that began it, and whether it was interrupted or rejected."""
    made = tracker(UserUttered("book"), ActionExecuted("form"), ActiveLoop("form"))
    assert made.active_loop is not None
    assert made.active_loop.trigger_message == UserUttered("book").parse_data
    made.update(LoopInterrupted(True))
    made.update(ActionExecutionRejected("form"))
    assert (made.active_loop.is_interrupted, made.active_loop.rejected) == (True, True)
    made.update(ActionExecuted("form"))
    assert (made.active_loop.is_interrupted, made.active_loop.rejected) == (False, False)
    made.update(ActiveLoop(None))
    assert made.active_loop is None


def test_a_loop_that_goes_on_replaces_its_earlier_execution() -> None:
    """The turns in between are not applied twice; the slots they filled stay."""
    made = tracker(
        ActionExecuted("form"), ActiveLoop("form"), SlotSet("a", 1),
        LISTEN, UserUttered("two"), ActionExecuted("form"), SlotSet("b", 2),
    )  # fmt: skip
    assert [event.type for event in made.applied_events()] == [
        "action", "active_loop", "slot", "slot",
    ]  # fmt: skip


def test_a_loop_that_was_rejected_keeps_what_came_in_between() -> None:
    """An unhappy path is part of the conversation."""
    made = tracker(
        ActionExecuted("form"), ActiveLoop("form"), LISTEN, UserUttered("help"),
        ActionExecutionRejected("form"), ActionExecuted("utter_help"), ActionExecuted("form"),
    )  # fmt: skip
    assert len(made.applied_events()) == 7


def test_a_followup_action_is_open_until_something_happens() -> None:
    """An action or a message clears it."""
    made = tracker(FollowupAction("utter_x"))
    assert made.followup_action == "utter_x"
    made.update(ActionExecuted("utter_x"))
    assert made.followup_action is None


def test_entities_belong_to_the_message_before() -> None:
    """They are shown with it, each once, and the message itself is not changed."""
    said = UserUttered("two", {"entities": [{"entity": "n", "value": 2}]})
    made = tracker(LISTEN, said, EntitiesAdded([{"entity": "n", "value": 2}, {"entity": "m"}]))
    shown = made.current_state()["latest_message"]["entities"]
    assert shown == [{"entity": "n", "value": 2}, {"entity": "m"}]
    assert said.parse_data == {"entities": [{"entity": "n", "value": 2}]}


def test_new_events_are_those_since_the_last_save() -> None:
    """Each with an id that stays."""
    made = DialogueStateTracker.from_stored("s", [UserUttered("old")])
    assert made.new_events == []
    made.update(BotUttered("new"))
    made.update(LISTEN)
    first, second = made.new_events
    assert first.id < second.id
    made.forget_new(1)
    assert made.new_events == [second]


@given(
    st.lists(
        st.sampled_from(
            [
                LISTEN, UserUttered("hi"), BotUttered("ho"), SlotSet("a", 1), SlotSet("a", 2),
                ActionExecuted("form"), ActiveLoop("form"), ActiveLoop(None), Restarted(),
                SessionStarted(), ActionReverted(), UserUtteranceReverted(), AllSlotsReset(),
                ActionExecutionRejected("form"), FollowupAction("form"), ConversationPaused(),
            ]
        ),
        max_size=25,
    )
)  # fmt: skip
def test_the_state_is_made_of_the_events_alone(events: list[Event]) -> None:
    """A tracker that was stored and read has the state of the one that lived through it."""
    lived = tracker(*events)
    read = DialogueStateTracker.from_stored("s", lived.events, {"language": "de"})
    assert read.current_state(read.events) == lived.current_state(lived.events)


@pytest.mark.parametrize("sender_id", ["", " a", "a ", "a\nb", "\x00", "\ud800", "x" * 256])
def test_a_name_that_not_every_database_can_tell_apart_is_refused(sender_id: str) -> None:
    """Two conversations must never become one."""
    with pytest.raises(InvalidEvent, match="sender_id: "):
        DialogueStateTracker(sender_id)
