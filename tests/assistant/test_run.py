"""`event-brokers run`: from the command line to the closing line."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
from typing import Any

import httpx2
import pytest

from command import Commands, closing_line
from event_brokers.cli import listening
from event_brokers.secret import mask
from event_brokers_assistant import assembly
from running_assistant import RunningAssistant
from waiting import wait_until

ECHO = "def model(tracker, message): return [f'you said {message.text}']\n"
SLOW = """
import pathlib, time
def model(tracker, message):
    pathlib.Path("asked").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return "at last"
"""


def file_broker(commands: Commands, **options: Any) -> dict[str, Any]:
    """Return the sections of an endpoints.yml with the broker of these tests."""
    return {"event_broker": {"type": "journal", "file": str(commands.arrived), **options}}


def test_a_conversation_arrives_at_the_broker(commands: Commands) -> None:
    """What the tracker shows is what was streamed, and the closing line counts it."""
    (commands.folder / "agent.py").write_text(ECHO)
    with RunningAssistant(commands, file_broker(commands), "-m", "agent.py") as assistant:
        assert assistant.say("hi") == [{"recipient_id": "default", "text": "you said hi"}]
        shown = assistant.events()
        assert assistant.lines[0] == "conversations are kept in memory"
        ended = assistant.stop()
    assert (ended.code, ended.out) == (0, closing_line(len(shown), len(shown)))
    assert commands.read() == shown


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_conversations_finish(commands: Commands, number: signal.Signals) -> None:
    """Whoever was asked before the signal gets the answer, and its events are delivered."""
    (commands.folder / "agent.py").write_text(SLOW)
    with RunningAssistant(commands, file_broker(commands), "-m", "agent.py") as assistant:
        said: list[Any] = []
        talking = threading.Thread(target=lambda: said.extend(assistant.say("hi")))
        talking.start()
        wait_until((commands.folder / "asked").exists)
        assistant.send(number)
        (commands.folder / "go").touch()
        talking.join(30)
        ended = assistant.end()
    assert said == [{"recipient_id": "default", "text": "at last"}]
    assert (ended.code, ended.out) == (0, closing_line(6, 6))


def test_a_signal_that_comes_before_it_listens_ends_it_too(commands: Commands) -> None:
    """Whoever starts it and changes their mind need not ask twice."""
    asked = "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n"
    (commands.folder / "agent.py").write_text(asked + ECHO)
    ended = commands.run("run", "-m", "agent.py", "--port", "0")
    assert ended.code == 0
    assert ended.out.endswith(closing_line(0, 0))


def test_a_broker_that_is_down_delays_the_end_no_longer_than_told(commands: Commands) -> None:
    """In memory the events are lost, which the code says; with a spool they stay."""
    down = file_broker(commands, connect_fails="unavailable")
    with RunningAssistant(commands, down, "--timeout", "0") as assistant:
        assistant.say("hi")
        assert assistant.client.get("/healthz").status_code == 200
        ended = assistant.stop()
    assert (ended.code, ended.out) == (os.EX_TEMPFAIL, closing_line(6, 0, pending=6))
    down["event_broker"]["delivery"] = {"spool": str(commands.folder / "spool")}
    with RunningAssistant(commands, down, "--timeout", "0") as assistant:
        assistant.say("hi")
        ended = assistant.stop()
    assert (ended.code, ended.out) == (0, closing_line(6, 0, pending=6))
    del down["event_broker"]["connect_fails"]
    with RunningAssistant(commands, down) as assistant:
        wait_until(lambda: len(commands.read()) == 6)
        assistant.stop()


def test_what_was_said_is_in_no_log(commands: Commands) -> None:
    """Not where the model fails over it, either: the log says where, and not what."""
    (commands.folder / "agent.py").write_text(
        "def model(tracker, message):\n    raise KeyError(message.text)\n"
    )
    log = commands.folder / "log"
    words = ("run", "-m", "agent.py", "--port", "0", "--json")
    with (
        log.open("w") as written,
        commands.start(*words, stderr=written, stdout=written) as process,
    ):
        url = wait_until(lambda: re.findall(r"listening at (\S+)", log.read_text()))[0]
        body = {"message": "canary words"}
        answered = httpx2.post(f"{url}/webhooks/rest/webhook", json=body, trust_env=False)
        process.terminate()
        assert process.wait(30) == 0
    assert answered.status_code == 500
    assert answered.json()["message"] == "the model raised KeyError at agent.py:2"
    assert "the model raised KeyError at agent.py:2" in log.read_text()
    assert "canary" not in log.read_text() + answered.text


def test_without_a_broker_it_runs_and_says_so(commands: Commands) -> None:
    """Nothing is streamed, and nobody is left to find that out."""
    with RunningAssistant(commands, {}) as assistant:
        assert "echo bot" in assistant.say("hi")[0]["text"]
        assert assistant.client.get("/status").json()["broker"] is None
        assert assistant.stop().code == 0


def test_conversations_are_kept_where_the_file_says(commands: Commands) -> None:
    """As in Rasa: `type: SQL`, dialect and db."""
    endpoints = file_broker(commands) | {"tracker_store": {"type": "SQL", "db": "tracker.db"}}
    with RunningAssistant(commands, endpoints) as assistant:
        assistant.say("hi")
        assert assistant.lines[0] == "conversations are kept in 'tracker.db'"
        assistant.stop()
    with RunningAssistant(commands, endpoints) as assistant:
        assistant.say("again")
        assert len(assistant.events()) == 9
        assistant.stop()
    assert len(commands.read()) == 9


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"db": "x"}, "endpoints.yml: tracker_store.type: missing; give SQL or InMemory"),
        ({"type": "redis"}, "tracker_store.type: 'redis' is not served; give SQL or InMemory"),
        ({"type": "SQL", "dbb": "x"}, "tracker_store.dbb: unknown option of 'SQL'; did you mean"),
        ({"type": "SQL", "port": "x"}, "tracker_store.port: 'x' is not a whole number"),
        ({"type": "SQL", "dialect": "oracel"}, "tracker_store.dialect: SQLAlchemy knows no"),
    ],
)
def test_a_wrong_tracker_store_is_one_sentence(
    commands: Commands, section: dict[str, Any], sentence: str
) -> None:
    """With the file and the line, and before anything listens."""
    text = json.dumps({"tracker_store": section})
    (commands.folder / "endpoints.yml").write_text(text, encoding="utf-8")
    ended = commands.run("run", "--port", "0", "--endpoints", "endpoints.yml")
    assert (ended.code, ended.out) == (os.EX_CONFIG, "")
    assert sentence in ended.err
    assert "Traceback" not in ended.err


def test_mistakes_on_the_command_line_are_one_sentence(commands: Commands) -> None:
    """A model that is not there, a file that is not there, a port that is taken."""
    ended = commands.run("run", "-m", "nowhere.py", "--port", "0")
    assert (ended.code, ended.err.partition(";")[0]) == (
        os.EX_NOINPUT, "Error: --model: no file or folder 'nowhere.py'",
    )  # fmt: skip
    ended = commands.run("run", "--endpoints", "nowhere.yml", "--port", "0")
    assert (ended.code, ended.err) == (
        os.EX_CONFIG, "Error: nowhere.yml: no such file or directory\n",
    )  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = commands.run("run", "--port", str(port))
    assert ended.code == os.EX_UNAVAILABLE
    assert f"cannot listen at 127.0.0.1, port {port}: address already in use" in ended.err


@pytest.mark.parametrize(
    "given",
    [
        {"password": "canary-1"},
        {"password_file": "password"},
        {"query": {"sslpassword": "canary-1"}},
        {"url": "postgresql://u:canary-1@127.0.0.1:1/x"},
        {"url": "postgresql://127.0.0.1:1/x?password=canary-1"},
    ],
    ids=str,
)
def test_no_secret_of_the_tracker_store_is_shown(
    commands: Commands, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stands, and whoever says it."""
    (commands.folder / "password").write_text("canary-1\n")
    section = {
        "type": "SQL", "dialect": "postgresql", "url": "127.0.0.1", "port": 1, "db": "x", **given,
    }  # fmt: skip
    text = json.dumps({"tracker_store": section})
    (commands.folder / "endpoints.yml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(commands.folder)
    settings = assembly.read("endpoints.yml")
    assert "canary" not in repr(settings)
    assert mask("canary-1 is wrong", settings.secrets()) == "*** is wrong"
    ended = commands.run("run", "--port", "0", "--debug")
    assert ended.code == os.EX_UNAVAILABLE
    assert "canary" not in ended.out + ended.err


def test_neither_token_nor_password_is_ever_shown(commands: Commands) -> None:
    """Not where the API is asked with a wrong one, and not where the database refuses."""
    endpoints = file_broker(commands) | {
        "tracker_store": {
            "type": "SQL", "dialect": "postgresql", "url": "127.0.0.1", "port": 1,
            "username": "u", "password": "canary-password",
        }
    }  # fmt: skip
    (commands.folder / "endpoints.yml").write_text(json.dumps(endpoints), encoding="utf-8")
    ended = commands.run("run", "--port", "0", "--debug")
    assert ended.code == os.EX_UNAVAILABLE
    assert "127.0.0.1:1" in ended.err
    assert "canary" not in ended.out + ended.err
    with RunningAssistant(commands, {}, "--auth-token", "canary-token") as assistant:
        refused = assistant.client.get("/status?token=wrong")
        assert "canary" not in refused.text + "".join(assistant.lines)
        assert assistant.client.get("/status?token=canary-token").status_code == 200
        assistant.stop()


@pytest.mark.parametrize("given", ["", " "])
def test_an_empty_token_is_refused(commands: Commands, given: str) -> None:
    """A variable that somebody forgot to fill must not open the API to everybody."""
    sentence = "Error: --auth-token: is empty; give a token, or unset EVENT_BROKERS_AUTH_TOKEN\n"
    for words, variables in (
        (["--auth-token", given], {}),
        ([], {"EVENT_BROKERS_AUTH_TOKEN": given}),
    ):
        ended = commands.run("run", "--port", "0", *words, env=variables)
        assert (ended.code, ended.out, ended.err) == (os.EX_USAGE, "", sentence)


def test_the_token_of_the_environment_guards_the_api(commands: Commands) -> None:
    """It is in no list of processes there; one on the command line comes before it."""
    variables = {"EVENT_BROKERS_AUTH_TOKEN": "canary-token"}
    for words, token in (([], "canary-token"), (["--auth-token", "other"], "other")):
        with RunningAssistant(commands, {}, *words, env=variables) as assistant:
            assert assistant.client.get("/status").status_code == 401
            assert assistant.client.get(f"/status?token={token}").status_code == 200
            assistant.stop()


@pytest.mark.parametrize(
    ("interface", "words", "is_warned"),
    [
        ("0.0.0.0", [], True),
        ("0.0.0.0", ["--auth-token", "canary-token"], False),
        ("127.0.0.1", [], False),
        ("localhost", [], False),
        ("127.0.0.2", [], False),
    ],
)
def test_an_api_that_others_can_reach_without_a_token_is_warned_of(
    commands: Commands, interface: str, words: list[str], is_warned: bool
) -> None:
    """Everybody there could read and change every conversation."""
    log = commands.folder / "log"
    with (
        log.open("w") as written,
        RunningAssistant(commands, {}, "-i", interface, *words, stderr=written) as assistant,
    ):
        assistant.stop()
    sentence = (
        f"--interface: whoever reaches {interface} can read and change every conversation; "
        "give --auth-token"
    )
    assert (sentence in log.read_text()) == is_warned
    assert "canary" not in log.read_text()


def test_answers_leave_without_delay() -> None:
    """Where the protocol is not named, asyncio leaves Nagle's algorithm on: 40 ms for each turn."""
    with listening.listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
