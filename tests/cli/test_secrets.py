"""No password and no body of an event in anything that the command line shows."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import pytest

from command import Commands
from servers import Kafka, MariaDB, PostgreSQL, RabbitMQ
from servers.ports import free_port

CANARY = "Canary/7:@ü"
FORMS = {CANARY, quote(CANARY, safe=""), quote(CANARY), "Canary/7", "Canary%2F7"}


def shown(commands: Commands, section: Mapping[str, object]) -> str:
    """Return all that both commands show, in every form they have."""
    commands.broker(section)
    name = commands.events({"text": CANARY}, f'{{"text": "{CANARY}", ', f'["{CANARY}"]')
    runs = [
        commands.run(*words, *form)
        for words in (["check"], ["publish", "--timeout", "0.5", name])
        for form in ([], ["--json"], ["--debug"])
    ]
    assert all(done.code for done in runs), "this section was meant to fail"
    return "".join(done.out + done.err for done in runs)


def assert_silent(text: str) -> None:
    """Fail where the canary is in a text, in whatever form."""
    found = [form for form in FORMS if form in text]
    assert not found, text


@pytest.mark.parametrize("failure", ["unavailable", "configuration", "unforeseen"])
def test_what_a_plugin_says_of_its_options_is_masked(commands: Commands, failure: str) -> None:
    """Whatever it puts into its errors."""
    sentence = f"cannot sign in with {CANARY} at amqp://u:{quote(CANARY, safe='')}@h"
    section = {"password": CANARY, "connect_fails": failure, "sentence": sentence}
    text = shown(commands, section)
    assert "***" in text
    assert_silent(text)


@pytest.mark.parametrize("failure", ["rejected", "unforeseen"])
def test_what_a_plugin_says_of_an_event_is_masked(commands: Commands, failure: str) -> None:
    """An error that nobody foresaw may hold a body: it is named, and its text left out."""
    sentence = "no" if failure == "rejected" else f"cannot store {CANARY}"
    section = {"publish_fails": failure, "sentence": sentence, "password": "unrelated"}
    commands.broker(section)
    name = commands.events({"text": CANARY})
    for form in ([], ["--json"], ["--debug"]):
        done = commands.run("publish", "--timeout", "0.5", name, *form)
        assert done.code
        assert_silent(done.out + done.err)


@pytest.mark.parametrize(
    "section",
    [
        {"type": "pika", "url": "amqp://u:{}@127.0.0.1:{port}/v"},
        {"type": "pika", "url": "127.0.0.1", "port": "{port}", "password": "{}"},
        {"type": "pika", "url": "amqp://u:{}@no-such-host.invalid:x"},
        {"type": "pika", "url": "amqp://u:{}@127.0.0.1", "quue": "x"},
        {"type": "kafka", "url": "127.0.0.1:{port}", "sasl_username": "u", "sasl_password": "{}"},
        {"type": "kafka", "url": "127.0.0.1", "sasl_username": "u", "sasl_pasword": "{}"},
        {"type": "sql", "url": "postgresql://u:{}@127.0.0.1:{port}/db"},
        {"type": "sql", "url": "postgresql+nosuch://u:{}@127.0.0.1:{port}/db"},
        {"type": "sql", "dialect": "mysql", "host": "127.0.0.1", "port": "{port}",
         "username": "u", "password": "{}", "db": "x"},
    ],
    ids=lambda section: "-".join(map(str, section)),
)  # fmt: skip
def test_no_way_to_fail_shows_a_password(commands: Commands, section: dict[str, str]) -> None:
    """A port that refuses, a URL that cannot be read, an option that is mistyped."""
    port = free_port()
    password = quote(CANARY, safe="") if "://" in section.get("url", "") else CANARY
    filled: dict[str, object] = {
        name: port if value == "{port}" else value.replace("{port}", str(port)).format(password)
        for name, value in section.items()
    }
    assert_silent(shown(commands, filled))


@pytest.mark.xdist_group("rabbitmq")
def test_rabbitmq_refuses_without_telling_the_password(
    commands: Commands, rabbitmq: RabbitMQ
) -> None:
    """Also in what the client library logs for `--debug`."""
    section = {"type": "pika", "url": rabbitmq.host, "port": rabbitmq.port, "username": "nobody"}
    assert_silent(shown(commands, {**section, "password": CANARY}))


@pytest.mark.xdist_group("kafka")
def test_kafka_refuses_without_telling_the_password(commands: Commands, kafka: Kafka) -> None:
    """Also in what the client library logs for `--debug`."""
    section = {"type": "kafka", "url": kafka.bootstrap("SASL_PLAINTEXT"), "sasl_username": "nobody"}
    assert_silent(shown(commands, {**section, "sasl_password": CANARY}))


@pytest.mark.xdist_group("postgresql")
def test_postgresql_refuses_without_telling_the_password(
    commands: Commands, postgresql: PostgreSQL
) -> None:
    """Also in what the driver says of the connection it tried."""
    url = f"postgresql://nobody:{quote(CANARY, safe='')}@{postgresql.host}:{postgresql.port}/x"
    assert_silent(shown(commands, {"type": "sql", "url": url}))


@pytest.mark.xdist_group("mariadb")
def test_mariadb_refuses_without_telling_the_password(commands: Commands, mariadb: MariaDB) -> None:
    """Also in what the driver says of the connection it tried."""
    section = {"type": "sql", "dialect": "mysql", "host": mariadb.host, "port": mariadb.port}
    assert_silent(shown(commands, {**section, "username": "nobody", "password": CANARY}))
