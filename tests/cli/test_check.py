"""`event-brokers check`: says in words what works or what is wrong, and publishes nothing."""

from __future__ import annotations

import socket
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from command import Commands
from servers.backends import Backend
from servers.ports import free_port
from stand_in import write_plugin


def test_it_names_type_plugin_server_and_target(commands: Commands, backend: Backend) -> None:
    """Before the first event and after it: creatable, then found; nothing arrives by looking."""
    if backend.is_endpoint:
        pytest.skip("nothing is made there")
    commands.broker(backend.section)
    kind, target = backend.section["type"].lower(), list(backend.section.values())[-1]
    before = commands.run("check")
    assert (before.code, before.err) == (0, "")
    lines = before.out.splitlines()
    served = f"served by event-brokers-{kind} {version(f'event-brokers-{kind}')}"
    assert lines[0] == f"endpoints.yml: valid, type '{kind}' {served}"
    assert f"{target}'" in before.out
    assert commands.run("publish", commands.events({"n": 1})).code == 0
    after = commands.run("check", "--json")
    assert after.document["found"] != lines[1:]
    assert after.document["found"][0].startswith("connected to ")
    assert any(" found" in sentence for sentence in after.document["found"])
    assert len(backend.read()) == 1


def test_machines_get_one_document(commands: Commands) -> None:
    """With what a person reads, by name."""
    assert commands.run("check", "--json").document == {
        "endpoints": "endpoints.yml", "type": "journal", "distribution": "journal-broker",
        "version": "1.0", "found": ["connected, and closed the connection"],
        "exit_code": 0, "exit_name": "EX_OK",
    }  # fmt: skip
    commands.broker({"connect_fails": "unavailable"})
    document = commands.run("check", "--json").document
    assert (document["error"], document["exit_name"]) == ("nobody listens", "EX_UNAVAILABLE")


@pytest.mark.parametrize(
    ("failure", "code", "sentence"),
    [
        ("unavailable", 69, "nobody listens"),
        ("configuration", 78, "the password is wrong"),
        ("unforeseen", 69, "ValueError: no idea"),
    ],
)
def test_a_plugin_that_only_connects_is_asked_to(
    commands: Commands, failure: str, code: int, sentence: str
) -> None:
    """The hook `check` is optional; without it, connecting tells enough."""
    words = {"sentence": "no idea"} if failure == "unforeseen" else {}
    commands.broker({"connect_fails": failure, **words})
    done = commands.run("check")
    assert (done.code, done.err) == (code, f"Error: {sentence}\n")


def test_a_server_that_never_answers_is_given_up(commands: Commands) -> None:
    """Within the timeout, not within the client's own."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        commands.broker({"type": "pika", "url": "127.0.0.1", "port": silent.getsockname()[1]})
        began = time.monotonic()
        done = commands.run("check", "--timeout", "0.5")
        assert time.monotonic() - began < 20
    assert (done.code, done.err) == (69, "Error: no answer within 0.5 s\n")


@pytest.mark.parametrize("kind", ["pika", "kafka", "postgresql", "mariadb"])
def test_a_refused_port_is_named(commands: Commands, kind: str) -> None:
    """Host and port, for it may be the wrong one."""
    port = free_port()
    sql: dict[str, object] = {
        "type": "sql",
        "dialect": kind,
        "host": "127.0.0.1",
        "port": port,
        "db": "x",
    }
    sections: dict[str, dict[str, object]] = {
        "pika": {"type": "pika", "url": "127.0.0.1", "port": port},
        "kafka": {"type": "kafka", "url": f"127.0.0.1:{port}"},
    }
    commands.broker(sections.get(kind, sql))
    done = commands.run("check")
    assert (done.code, done.err) == (69, f"Error: 127.0.0.1:{port} refused the connection\n")


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"type": "kafak"}, "did you mean 'kafka'?"),
        ({"type": "carrier-pigeon"}, "no plugin"),
        ({"type": "kafka", "url": "x", "anonymization_topics": ["a"]}, "Rasa Pro"),
        ({"type": "kafka"}, "url"),
        ({"type": "pika", "port": "many"}, "port"),
    ],
    ids=["near-miss", "not-installed", "rasa-pro", "missing", "wrong-value"],
)
def test_a_mistake_in_the_file_is_a_sentence(
    commands: Commands, section: dict[str, object], sentence: str
) -> None:
    """With the file's name, and no traceback."""
    commands.broker(section)
    done = commands.run("check")
    assert (done.code, done.out) == (78, "")
    assert done.err.startswith("Error: ")
    assert "endpoints.yml" in done.err
    assert sentence in done.err
    assert done.err.count("\n") == 1


def test_a_plugin_may_say_what_it_finds(commands: Commands) -> None:
    """What its hook `check` returns is shown line by line."""
    source = """
from event_brokers import hookimpl
@hookimpl
def connect(options): raise AssertionError
@hookimpl
def publish(connection, events): raise AssertionError
@hookimpl
def close(connection): raise AssertionError
@hookimpl
def check(options): return ["reached it", "found it"]
"""
    write_plugin(commands.plugins, "curious", source, "curious-broker")
    commands.broker({"type": "curious"})
    done = commands.run("check")
    assert (done.code, done.out.splitlines()[1:]) == (0, ["reached it", "found it"])


def test_the_file_may_lie_elsewhere(commands: Commands, tmp_path: Path) -> None:
    """And is called what the user calls it."""
    (tmp_path / "endpoints.yml").rename(tmp_path / "other.yml")
    done = commands.run("check")
    assert (done.code, done.err) == (78, "Error: endpoints.yml: no such file or directory\n")
    done = commands.run("check", "--endpoints", "other.yml")
    assert done.out.startswith("other.yml: valid, type 'journal'")
