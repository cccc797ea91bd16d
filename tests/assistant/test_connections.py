"""Clients that are slow, silent or many do not keep the server from its work."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from command import Commands
from running_assistant import WEBHOOK, RunningAssistant
from waiting import wait_until

FILES = 128  # that the server may have open
CONNECTIONS = FILES // 2
SECONDS = "1"  # that a request may take, where a test waits for the end of them
PART_OF_A_REQUEST = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"
WAITS_FOR_GO = """
import pathlib, time
def model(tracker, message):
    pathlib.Path(f"asked-{message.sender_id}").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return "at last"
"""


@contextmanager
def running(commands: Commands, *words: str, **options: Any) -> Iterator[RunningAssistant]:
    """Run a server that may open few files, and find every connection closed at its end."""
    log = commands.folder / "log"
    with (
        log.open("w") as written,
        RunningAssistant(commands, {}, *words, stderr=written, **options) as assistant,
    ):
        yield assistant
        assert assistant.stop().code == 0
    assert "Traceback" not in log.read_text()
    assert "out of system resource" not in log.read_text()


def log_of(commands: Commands) -> str:
    """Return what the server has complained of."""
    return (commands.folder / "log").read_text()


def connect(assistant: RunningAssistant, sent: bytes = b"") -> socket.socket:
    """Return a new connection to the server.

    Parameters:
        assistant: the server.
        sent: what it gets at once.
    """
    address = urlsplit(assistant.url)
    assert address.port
    connection = socket.create_connection((address.hostname, address.port), timeout=60)
    connection.sendall(sent)
    return connection


def read_all(connection: socket.socket) -> bytes:
    """Return what the server sends until it closes the connection, however it does that."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def is_closed(connection: socket.socket) -> bool:
    """Return whether the server has closed a connection that it has not answered."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def failure(received: bytes) -> tuple[int, str]:
    """Return the status and the sentence of an answer that is a failure."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    said = json.loads(body)
    assert head.split()[1] == str(said["code"]).encode()
    return said["code"], said["message"]


def request(path: str, **body: Any) -> bytes:
    """Return a whole request with a body of JSON."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n"
    return head.encode() + b"connection: close\r\n\r\n" + content


def test_many_slow_connections_do_not_stop_the_server(commands: Commands) -> None:
    """More than there may be files: the oldest without a whole request are closed."""
    with running(commands, open_files=FILES) as assistant, ExitStack() as opened:
        slow = [
            opened.enter_context(connect(assistant, PART_OF_A_REQUEST)) for _ in range(2 * FILES)
        ]
        assert assistant.client.get("/healthz", timeout=20).status_code == 200
        assert assistant.say("hi") != []
        oldest = slow[: 2 * FILES - CONNECTIONS]
        wait_until(lambda: all(is_closed(each) for each in oldest))
        assert f"{CONNECTIONS} connections are open, as many as may be" in log_of(commands)
        newest = slow[-1]
        newest.setblocking(True)
        newest.sendall(b"connection: close\r\n\r\n")
        assert read_all(newest).startswith(b"HTTP/1.1 200")


def test_whoever_waits_for_an_answer_is_not_closed(commands: Commands) -> None:
    """A whole request keeps its connection, however many come after it."""
    (commands.folder / "agent.py").write_text(WAITS_FOR_GO)
    with (
        running(commands, "-m", "agent.py", open_files=FILES) as assistant,
        connect(assistant, request(WEBHOOK, sender="s", message="hi")) as asking,
        ExitStack() as opened,
    ):
        wait_until((commands.folder / "asked-s").exists)
        for _ in range(2 * FILES):
            opened.enter_context(connect(assistant, PART_OF_A_REQUEST))
        (commands.folder / "go").touch()
        assert b"at last" in read_all(asking)


def test_models_that_take_their_time_keep_nobody_else_waiting(commands: Commands) -> None:
    """However many think: others are answered, and the state is shown."""
    (commands.folder / "agent.py").write_text(WAITS_FOR_GO)
    senders = [f"s{number}" for number in range(60)]
    with running(commands, "-m", "agent.py") as assistant, ExitStack() as opened:
        asking = [
            opened.enter_context(connect(assistant, request(WEBHOOK, sender=sender, message="hi")))
            for sender in senders
        ]
        wait_until(lambda: all((commands.folder / f"asked-{name}").exists() for name in senders))
        for path in ("/healthz", "/status", "/conversations/s1/tracker"):
            assert assistant.client.get(path, timeout=20).status_code == 200
        (commands.folder / "go").touch()
        assert all(b"at last" in read_all(each) for each in asking)


def test_where_all_wait_for_answers_the_newest_is_refused(commands: Commands) -> None:
    """With a sentence; as soon as one is answered there is room again."""
    (commands.folder / "agent.py").write_text(WAITS_FOR_GO)
    with (
        running(commands, "-m", "agent.py", "--max-connections", "2") as assistant,
        connect(assistant, request(WEBHOOK, sender="one", message="hi")) as one,
        connect(assistant, request(WEBHOOK, sender="two", message="hi")) as two,
    ):
        for sender in ("one", "two"):
            wait_until((commands.folder / f"asked-{sender}").exists)
        with connect(assistant) as third:
            assert failure(read_all(third)) == (503, "too many requests are being answered")
        (commands.folder / "go").touch()
        assert b"at last" in read_all(one)
        assert b"at last" in read_all(two)
        assert assistant.client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(PART_OF_A_REQUEST, id="headers"),
        pytest.param(request(WEBHOOK, message="hi")[:-1], id="body"),
        pytest.param(
            b"POST /webhooks/rest/webhook HTTP/1.1\r\nhost: x\r\n"
            b"transfer-encoding: chunked\r\n\r\n5\r\n[1,2,",
            id="chunks",
        ),
    ],
)
def test_a_request_that_does_not_arrive_in_time_is_refused(commands: Commands, part: bytes) -> None:
    """A byte now and then does not make the time longer."""
    with running(commands, "--request-timeout", SECONDS) as assistant:
        with connect(assistant, part) as slow:
            trickling = threading.Event()

            def trickle() -> None:
                while not trickling.wait(0.05):
                    try:
                        slow.send(b"5" if part.endswith(b",") else b"x")
                    except OSError:
                        return

            sender = threading.Thread(target=trickle)
            if not part.startswith(b"POST"):
                sender.start()
            assert failure(read_all(slow)) == (408, "the request did not arrive within 1 s")
            trickling.set()
            if sender.ident:
                sender.join()
        assert assistant.client.get("/healthz").status_code == 200


def test_a_connection_that_says_nothing_is_closed(commands: Commands) -> None:
    """Without a word: browsers open some in advance."""
    with (
        running(commands, "--request-timeout", SECONDS) as assistant,
        connect(assistant) as silent,
    ):
        assert read_all(silent) == b""


def test_the_second_request_of_a_connection_has_its_own_time(commands: Commands) -> None:
    """It is refused as the first one would be."""
    whole = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    with (
        running(commands, "--request-timeout", SECONDS) as assistant,
        connect(assistant, whole + PART_OF_A_REQUEST) as slow,
    ):
        first, second, third = read_all(slow).split(b"HTTP/1.1 ")
        assert (first, second[:3], third[:3]) == (b"", b"200", b"408")


def test_an_answer_that_came_before_the_body_is_given_once(commands: Commands) -> None:
    """The body of a GET is of no interest; its connection does not wait for it for ever."""
    without_body = b"GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n"
    with (
        running(commands, "--request-timeout", SECONDS) as assistant,
        connect(assistant, without_body) as slow,
    ):
        assert read_all(slow).count(b"HTTP/1.1") == 1


def test_whoever_does_not_read_the_answer_is_closed(commands: Commands) -> None:
    """Its file is free again, also where one request after the other was sent."""
    event = {"event": "slot", "name": "n", "value": "x" * 500_000}
    with running(commands, "--request-timeout", SECONDS) as assistant:
        for _ in range(8):
            added = assistant.client.post("/conversations/s/tracker/events", json=event)
            assert added.status_code == 200
        process = psutil.Process(assistant.process.pid)
        asked = b"GET /conversations/s/tracker HTTP/1.1\r\nhost: x\r\n\r\n"
        with connect(assistant, asked * 4) as slow:
            assert slow.recv(1, socket.MSG_PEEK)
            mine = slow.getsockname()[:2]
            wait_until(lambda: mine not in {link.raddr for link in process.net_connections()})


def test_whoever_reads_a_long_answer_slowly_gets_all_of_it(commands: Commands) -> None:
    """Longer than the time for a request, as long as something is read in it."""
    event = {"event": "slot", "name": "n", "value": "x" * 900_000}
    with running(commands, "--request-timeout", SECONDS) as assistant:
        for _ in range(12):
            assistant.client.post("/conversations/s/tracker/events", json=event)
        asked = b"GET /conversations/s/tracker HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        with connect(assistant, asked) as slow:
            received = b""
            pause = threading.Event()
            while chunk := slow.recv(400_000):
                received += chunk
                pause.wait(0.1)  # what a thin line does
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert len(json.loads(body)["events"]) == 12


def test_a_client_that_goes_away_leaves_no_trace(commands: Commands) -> None:
    """In the middle of its body; the log is for what somebody can do something about."""
    with running(commands, "--debug") as assistant:
        for part in (request(WEBHOOK, message="hi")[:-1], PART_OF_A_REQUEST, b""):
            connect(assistant, part).close()
        assert assistant.client.get("/healthz").status_code == 200
    assert "Exception" not in log_of(commands)


def test_what_is_not_http_is_refused_in_json(commands: Commands) -> None:
    """As every other failure."""
    with running(commands) as assistant, connect(assistant, b"\x16\x03\x01 hello\r\n\r\n") as odd:
        assert failure(read_all(odd)) == (400, "invalid http request received")


def test_more_connections_than_files_allow_are_refused(commands: Commands) -> None:
    """Before anything listens, with the way out."""
    words = ("run", "--port", "0", "--max-connections", "65")
    with commands.start(*words, open_files=FILES) as process:
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 64
    assert complaint == (
        "Error: --max-connections: 65 are more than half of the 128 files that may be open; "
        "give at most 64, or raise 'ulimit -n'\n"
    )
