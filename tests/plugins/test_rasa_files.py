"""Files of Rasa's users, as they write them, work here; and mean the same to whoever reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from command import Commands
from event_brokers import ConfigurationError, Secret, endpoints, plugins
from event_brokers.endpoints import Settings
from event_brokers.rasa import RasaEventBroker
from rasas_loader import RASA_TYPE, EndpointConfig, read_yaml

# Every option that the constructors of rasa/core/brokers/{pika,kafka,sql,file}.py of Rasa 3.6.21
# name, with the lines that a user writes; `event_loop` alone no file can give. Beside them what
# rasa/utils/endpoints.py takes from every section.
OPTIONS: dict[str, dict[str, list[str]]] = {
    "pika": {
        "url": ["url: rabbit", "url: amqp://u:p@rabbit:5672/v", "url: amqps://u:p@rabbit"],
        "username": ["username: rasa"],
        "password": ["password: secret", "password: 123456"],
        "port": ["port: 5673", 'port: "5673"'],
        "queues": ["queues: [a]", "queues: [a, b]", "queues: a", "queues:", "queues: []"],
        "should_keep_unpublished_messages": ["should_keep_unpublished_messages: false"],
        "raise_on_failure": ["raise_on_failure: true"],
        "connection_attempts": ["connection_attempts: 20"],
        "retry_delay_in_seconds": ["retry_delay_in_seconds: 5"],
        "exchange_name": ["exchange_name: events"],
    },
    "kafka": {
        "url": ["url: kafka", "url: kafka:9092", "url: [kafka:9092, other]"],
        "topic": ["topic: events"],
        "client_id": ["client_id: bot"],
        "partition_by_sender": ["partition_by_sender: true", "partition_by_sender: False"],
        "sasl_username": ["sasl_username: u\n  sasl_password: p"],
        "sasl_password": ["sasl_username: u\n  sasl_password: 0123"],
        "sasl_mechanism": [
            "sasl_mechanism: PLAIN",
            "sasl_mechanism: SCRAM-SHA-256\n  sasl_username: u\n  sasl_password: p",
            "sasl_mechanism: SCRAM-SHA-512\n  sasl_username: u\n  sasl_password: p",
        ],
        "ssl_cafile": ["security_protocol: SSL\n  ssl_cafile: ca.pem"],
        "ssl_certfile": ["security_protocol: SSL\n  ssl_certfile: c.pem"],
        "ssl_keyfile": ["security_protocol: SSL\n  ssl_certfile: c.pem\n  ssl_keyfile: k.pem"],
        "ssl_check_hostname": ["security_protocol: SSL\n  ssl_check_hostname: False"],
        "security_protocol": [
            "security_protocol: PLAINTEXT",
            "security_protocol: ssl",
            "security_protocol: SASL_PLAINTEXT\n  sasl_username: u\n  sasl_password: p",
            "security_protocol: sasl_ssl\n  sasl_username: u\n  sasl_password: p",
        ],
        "queue_size": ["queue_size: 1000"],
    },
    "sql": {
        "url": ["url: db", "url: db:5433", "url: postgresql://u:p@db/d"],
        "dialect": ["dialect: sqlite", "dialect: postgresql", "dialect: mysql"],
        "port": ["port: 5432", 'port: "5432"'],
        "db": ["db: rasa"],
        "username": ["username: rasa"],
        "password": ["password: secret", "password: 0123"],
    },
    "file": {"path": ["path: rasa_event.log", "path:"]},
}
OF_EVERY_SECTION = {
    "params": "params: {a: b}",
    "headers": "headers: {a: b}",
    "basic_auth": "basic_auth: {username: u, password: p}",
    "token": "token: t",
    "token_name": "token_name: n",
    "cafile": "cafile: ca.pem",
}
LINES = [
    pytest.param(kind, line, id=f"{kind}-{line}".replace("\n", ""))
    for kind, options in OPTIONS.items()
    for lines in options.values()
    for line in lines
]


@pytest.fixture(autouse=True)
def _no_certificate_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RABBITMQ_SSL_CLIENT_CERTIFICATE", "RABBITMQ_SSL_CLIENT_KEY"):
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, kind: str, *lines: str) -> Path:
    """Write an endpoints.yml of Rasa's, with what its type cannot be without."""
    needed = {"kafka": ["url: kafka:9092"]}.get(kind, [])
    given = [line for line in needed if not any(each.startswith("url:") for each in lines)]
    text = "\n  ".join([f"type: {kind}", *given, *lines])
    file = folder / "endpoints.yml"
    file.write_text(f"event_broker:\n  {text}\n", encoding="utf-8")
    return file


class Loaded(RasaEventBroker):
    """What Rasa's loader makes, before anything is connected."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings


def rewritten(file: Path, nested: bool) -> Path:
    """Return the same file for a real Rasa, with the two lines that lead to us."""
    text = file.read_text(encoding="utf-8")
    if nested:
        begin, _, section = text.partition("\n")
        inside = "".join(f"\n  {line}" for line in section.splitlines())
        text = f"{begin}\n  type: {RASA_TYPE}\n  broker:{inside}\n"
    else:
        text = text.replace("  type: ", f"  type: {RASA_TYPE}\n  broker_type: ", 1)
    copy = file.with_name("rasa.yml")
    copy.write_text(text, encoding="utf-8")
    return copy


def each_reading(file: Path) -> Iterator[Settings]:
    """Yield what a file means to `connect` and the commands, and to a real Rasa's loader."""
    yield endpoints.read(file)
    for nested in (False, True):
        copy = rewritten(file, nested)
        yield endpoints.read(copy)
        config = EndpointConfig(**read_yaml(copy))
        made = asyncio.run(Loaded.from_endpoint_config(config))
        assert isinstance(made, Loaded)
        yield made.settings


def meaning(file: Path) -> Settings:
    """Return what a file means, which is the same whoever reads it."""
    first, *others = each_reading(file)
    for other in others:
        assert (other.plugin.type, other.options, other.delivery) == (
            first.plugin.type, first.options, first.delivery,
        )  # fmt: skip
    return first


def refusals(file: Path) -> set[str]:
    """Return what is wrong with a file, without where it stands, whoever reads it."""
    sentences = set()
    for copy in (file, rewritten(file, nested=False)):
        with pytest.raises(ConfigurationError) as caught:
            endpoints.read(copy)
        sentences.add(str(caught.value).partition("event_broker.")[2])
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(Loaded.from_endpoint_config(EndpointConfig(**read_yaml(copy))))
    sentences.add(str(caught.value).partition("event_broker.")[2])
    return sentences


@pytest.mark.parametrize(("kind", "line"), LINES)
def test_every_option_of_rasas_event_brokers_is_taken(tmp_path: Path, kind: str, line: str) -> None:
    """As it stands in the file, and in the file with the two lines that a real Rasa needs."""
    file = write(tmp_path, kind, line.replace("0123", "7123"))
    assert meaning(file).plugin.type == kind


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("key", OF_EVERY_SECTION)
def test_what_rasa_takes_from_every_section_is_taken_with_a_word(
    tmp_path: Path, kind: str, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its event brokers have no use for it either."""
    file = write(tmp_path, kind, OF_EVERY_SECTION[key])
    meaning(file)
    where = f"{file}:{len(file.read_text().splitlines())}"
    [sentence] = [each for each in caplog.messages if each.startswith(f"{where}: ")]
    assert sentence.startswith(f"{where}: event_broker.{key}: has no effect; ")


def test_the_type_may_stand_under_its_older_name(tmp_path: Path) -> None:
    """`store_type` is what rasa/utils/endpoints.py looks for first."""
    file = tmp_path / "endpoints.yml"
    file.write_text("event_broker:\n  store_type: kafka\n  url: k\n", encoding="utf-8")
    assert endpoints.read(file).plugin.type == "kafka"
    file.write_text("event_broker:\n  store_type: kafak\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"yml:2: event_broker\.store_type: no plugin"):
        endpoints.read(file)
    file.write_text("event_broker: {type: pika, store_type: kafka}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="says the same as 'type'; give one of them"):
        endpoints.read(file)


def test_a_file_of_rasas_file_broker_has_its_default(tmp_path: Path) -> None:
    """`path` is its one option, and `rasa_event.log` where it is not given: brokers/file.py."""
    for lines in (["path: rasa_event.log"], []):
        settings = meaning(write(tmp_path, "file", *lines))
        assert settings.place() == "type file, path rasa_event.log"


@pytest.mark.parametrize("kind", ["concurrent_kafka", "Concurrent_Kafka"])
def test_concurrent_kafka_is_kafka(tmp_path: Path, kind: str) -> None:
    """Rasa Pro's name for the same topic; a spool does not take it for another place."""
    settings = meaning(write(tmp_path, kind, "url: kafka:9092", "topic: t"))
    assert settings.place() == "type kafka, url kafka:9092, topic t"


def test_concurrent_kafka_without_its_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one that serves Kafka."""
    monkeypatch.setattr(plugins, "registrations", lambda *_: [])
    with pytest.raises(ConfigurationError, match="'kafka' is not installed; pip install event-b"):
        plugins.load("concurrent_kafka")


PASSED_OVER = {
    "pika": ["log_level: ERROR", "loglevel: ERROR", "raise_on_failure: true"],
    "kafka": [
        "loglevel: ERROR", "log_level: ERROR", "group_id: rasa", "executor_max_workers: 4",
        "convert_intent_id_to_string: true", "socket_keepalive_enable: true",
        "reconnect_backoff_ms: 50", "reconnect_backoff_max_ms: 1000", "raise_on_failure: true",
        "topic_metadata_refresh_interval_ms: 300000", "queue_size: 9", "connection_attempts: 3",
        "retry_delay_in_seconds: 5", "should_keep_unpublished_messages: true",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "line"), [(kind, line) for kind, lines in PASSED_OVER.items() for line in lines]
)
def test_what_rasa_passes_over_is_taken_with_a_word(
    tmp_path: Path, kind: str, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning each, which says what happens instead."""
    file = write(tmp_path, kind, line)
    endpoints.read(file)
    [sentence] = caplog.messages
    option = line.partition(":")[0]
    where, _, instead = sentence.partition(": has no effect")
    assert where == f"{file}:{len(file.read_text().splitlines())}: event_broker.{option}"
    assert len(instead) > len("; nothing")
    meaning(file)


@pytest.mark.parametrize("kind", OPTIONS)
def test_any_other_key_is_a_mistake(tmp_path: Path, kind: str) -> None:
    """Rasa would pass over it in silence, and somebody has mistyped it."""
    wrong, right = {"file": ("paht", "path")}.get(kind, ("usrname", "username"))
    [sentence] = refusals(write(tmp_path, kind, f"{wrong}: u"))
    assert sentence.startswith(f"{wrong}: unknown option of '{kind}'; did you mean '")
    assert sentence.endswith(f"{right}'?")


@pytest.mark.parametrize("topics", ["[a]", "a"])
def test_topics_is_no_key_of_rasas(tmp_path: Path, topics: str) -> None:
    """Neither of Rasa 3 nor of Rasa Pro: it gets the sentence of any other mistake."""
    assert refusals(write(tmp_path, "kafka", f"topics: {topics}")) == {
        "topics: unknown option of 'kafka'; did you mean 'topic'?"
    }


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("value", ["true", "True", '"true"', '""', ""])
def test_personal_data_is_streamed_where_rasa_pro_says_so(
    tmp_path: Path, kind: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its default, and what happens here: nothing to say of it."""
    meaning(write(tmp_path, kind, f"stream_pii: {value}"))
    assert caplog.messages == []


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize(
    "line", ["stream_pii: false", 'stream_pii: "no"', "anonymization_topics: []",
             "anonymization_queues: [{name: a}]"],
)  # fmt: skip
def test_personal_data_that_is_to_be_kept_out_is_never_streamed(
    tmp_path: Path, kind: str, line: str
) -> None:
    """Until it can be kept out, with a sentence."""
    [sentence] = refusals(write(tmp_path, kind, line))
    assert sentence.startswith(f"{line.partition(':')[0]}: only Rasa Pro ")
    assert sentence.endswith("could let personal data flow, so take it out if you do not need it")


SECRETS = {
    "pika": ["username: u", "password"],
    "kafka": ["sasl_username: u", "sasl_password"],
    "sql": ["username: u", "password"],
}


def secret(settings: Settings, kind: str) -> str | None:
    """Return what the password came to."""
    found = getattr(settings.options, SECRETS[kind][1])
    assert found is None or isinstance(found, Secret)
    return None if found is None else found.reveal()


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize(
    "text",
    ["123456", "0123", "0x1F", "1_000", "12.50", "1e5", ".5", "true", "No", "off", "2024-01-02",
     "12:30:45", "-7", "+7", "0o17", "2024-01-02 03:04:05", "9" * 5],
)  # fmt: skip
def test_a_secret_is_what_stands_in_the_file(tmp_path: Path, kind: str, text: str) -> None:
    """Digit by digit, whatever YAML would make of it: in the section, nested, through an alias."""
    user, option = SECRETS[kind]
    assert secret(endpoints.read(write(tmp_path, kind, user, f"{option}: {text}")), kind) == text
    file = write(tmp_path, kind, user, f"{option}: {text}")
    for nested in (False, True):
        assert secret(endpoints.read(rewritten(file, nested)), kind) == text
    file = write(tmp_path, kind, "<<: *defaults")
    anchor = f"defaults: &defaults\n  {user}\n  {option}: {text}\n"
    file.write_text(anchor + file.read_text(), encoding="utf-8")
    assert secret(endpoints.read(file), kind) == text


def test_any_number_is_kept_as_it_stands(tmp_path: Path) -> None:
    """Whatever a person chooses as a password."""

    @given(st.from_regex(r"[0-9][0-9_]{0,12}(\.[0-9]{1,4})?", fullmatch=True))
    def check(text: str) -> None:
        file = write(tmp_path, "sql", "username: u", f"password: {text}")
        assert secret(endpoints.read(file), "sql") == text

    check()


@pytest.mark.parametrize("kind", SECRETS)
def test_rasa_hands_over_a_number_and_its_digits_are_taken(tmp_path: Path, kind: str) -> None:
    """Rasa keeps no text of it; what starts with a zero belongs in quotes, for Rasa, too."""
    user, option = SECRETS[kind]
    assert secret(meaning(write(tmp_path, kind, user, f"{option}: 123456")), kind) == "123456"
    assert secret(meaning(write(tmp_path, kind, user, f'{option}: "0123"')), kind) == "0123"
    for value in (True, 1.5):
        section: dict[str, Any] = {
            "type": RASA_TYPE, "broker_type": kind, "url": "h", user[:-3]: "u", option: value,
        }  # fmt: skip
        with pytest.raises(ConfigurationError, match=r"the value is not text .*; put it in quotes"):
            asyncio.run(Loaded.from_endpoint_config(EndpointConfig(**section)))


def test_a_url_is_no_secret_that_may_be_a_number(tmp_path: Path) -> None:
    """A port alone is no host."""
    assert refusals(write(tmp_path, "pika", "url: 5672")) == {
        "url: the value is not text; put it in quotes"
    }


EMPTY = {
    "pika": ["url", "username", "password", "port", "queues", "queue", "virtual_host", "heartbeat",
             "ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname", "declare"],
    "kafka": ["topic", "client_id", "partition_by_sender", "sasl_username", "sasl_password",
              "sasl_mechanism", "ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"],
    "sql": ["url", "host", "dialect", "port", "db", "username", "password", "query", "table",
            "ssl_cafile"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "option"), [(kind, option) for kind, options in EMPTY.items() for option in options]
)
@pytest.mark.parametrize("value", ['""', "${EMPTY}", "${EMPTY:-}"])
def test_empty_text_counts_as_not_given(
    tmp_path: Path, kind: str, option: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a variable without content leaves it, for every option."""
    monkeypatch.setenv("EMPTY", "")
    file = write(tmp_path, kind, f"{option}: {value}")
    assert endpoints.read(file).options == endpoints.read(write(tmp_path, kind)).options
    if value == '""':
        meaning(write(tmp_path, kind, f"{option}: {value}"))


@pytest.mark.parametrize(
    ("kind", "lines", "sentence"),
    [
        ("pika", ["username: u", 'password: ""'],
         "password: is empty, and 'username' is given; give both or none"),
        ("sql", ["username: u", 'password: ""'],
         "password: is empty, and 'username' is given; give both or none"),
        ("kafka", ["sasl_username: u", 'sasl_password: ""'],
         "sasl_password: is empty, and 'sasl_username' is given; give both or none"),
        ("kafka", ['security_protocol: ""'],
         "security_protocol: '' is not one of PLAINTEXT, SASL_PLAINTEXT, SASL_SSL, SSL"),
        ("pika", ['require_tls: ""'], "require_tls: is empty; give it a value, or take it out"),
        ("kafka", ['require_tls: ""'], "require_tls: is empty; give it a value, or take it out"),
        ("sql", ['require_tls: ""'], "require_tls: is empty; give it a value, or take it out"),
        ("sql", ['delivery: {spool: ""}'],
         "delivery.spool: is empty; give it a value, or take it out"),
    ],
)  # fmt: skip
def test_empty_text_that_would_take_protection_away_is_refused(
    tmp_path: Path, kind: str, lines: list[str], sentence: str
) -> None:
    """Never in silence: a password of a user, the protocol, a spool."""
    assert refusals(write(tmp_path, kind, *lines)) == {sentence}


def test_an_empty_file_of_a_secret_is_an_empty_secret(tmp_path: Path) -> None:
    """The same where the secret is in a file, or the path of it is empty."""
    (tmp_path / "password").write_text("\n", encoding="utf-8")
    for path in (str(tmp_path / "password"), '""'):
        file = write(tmp_path, "pika", "username: u", f"password_file: {path}")
        assert refusals(file) == {
            "password_file: is empty, and 'username' is given; give both or none"
        }


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_the_default_file_of_rasas_helm_chart_is_taken(
    tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A login beside a protocol that has none is warned of, and empty text is nothing."""
    file = write(
        tmp_path, "kafka", "topic: rasa_core_events", f"security_protocol: {protocol}",
        "sasl_username: user", "sasl_password: password", 'ssl_cafile: ""', 'ssl_certfile: ""',
    )  # fmt: skip
    assert not meaning(file).options.uses_sasl
    assert [each.partition("; ")[0] for each in caplog.messages[:2]] == [
        f"{file}:6: event_broker.sasl_username: has no effect with security_protocol {protocol}",
        f"{file}:7: event_broker.sasl_password: has no effect with security_protocol {protocol}",
    ]


@pytest.mark.parametrize("word", ["yes", "Yes", "on", "true", "no", "off", "False", '"no"'])
def test_yes_and_no_are_the_same_in_rasas_yaml(tmp_path: Path, word: str) -> None:
    """In YAML 1.2, which Rasa reads, they are text; a variable is text anywhere."""
    wanted = word.strip('"').casefold() in ("yes", "on", "true")
    file = write(tmp_path, "kafka", "security_protocol: SSL", f"ssl_check_hostname: {word}")
    assert meaning(file).options.ssl_check_hostname is wanted


@pytest.mark.parametrize("option", ["url", "host"])
@pytest.mark.parametrize(
    ("text", "wanted"),
    [("db:5433", ("db", 5433)), ("db", ("db", None)), ('"[::1]:5433"', ("::1", 5433)),
     ("127.0.0.1:5433", ("127.0.0.1", 5433)), ('"[::1]"', ("::1", None))],
)  # fmt: skip
def test_a_database_may_have_its_port_behind_the_host(
    tmp_path: Path, option: str, text: str, wanted: tuple[str, int | None]
) -> None:
    """In `url`, as Rasa has it, and in `host`."""
    from event_brokers_sql.address import database_url  # noqa: PLC0415 - beside the one that needs

    settings = meaning(write(tmp_path, "sql", "dialect: postgresql", f"{option}: {text}"))
    url = database_url(settings.options)
    assert (url.host, url.port) == wanted


def test_a_port_behind_the_host_wins_over_another_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As `get_db_url` of rasa/core/tracker_store.py decides."""
    from event_brokers_sql.address import database_url  # noqa: PLC0415

    file = write(tmp_path, "sql", "dialect: postgresql", "url: db:5433", "port: 5432")
    assert database_url(endpoints.read(file).options).port == 5433
    assert caplog.messages == [
        f"{file}:5: event_broker.port: has no effect, for 'url' says 5433; give one"
    ]
    assert refusals(write(tmp_path, "sql", "url: db:70000")) == {
        "url: the port is not a whole number from 1 to 65535"
    }


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_queue_alone_is_warned_of_where_rasa_reads_the_file(
    tmp_path: Path, nested: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the two lines Rasa 3 would send events elsewhere; here they go where it says."""
    file = rewritten(write(tmp_path, "pika", "queue: mine"), nested)
    options = endpoints.read(file).options
    assert (options.queue_names, options.exchange) == (["mine"], "")
    where = f"{file}:{5 if nested else 4}: event_broker.{'broker.' * nested}queue"
    assert caplog.messages == [
        (
            f"{where}: Rasa 3 itself would pass over it, and publish to its exchange and the queue "
            "'rasa_core_events'; here it is published to alone; write queues to have the exchange"
        )
    ]
    caplog.clear()
    endpoints.read(write(tmp_path, "pika", "queue: mine"))
    endpoints.read(rewritten(write(tmp_path, "pika", "queues: [mine]"), nested))
    endpoints.read(rewritten(write(tmp_path, "kafka", "topic: mine"), nested))
    assert caplog.messages == []


@pytest.mark.parametrize("nested", [None, False, True], ids=["ours", "flat", "nested"])
def test_the_commands_read_the_file_as_connect_does(
    commands: Commands, nested: bool | None
) -> None:
    """A secret as it stands there, empty text as nothing, and each warning once."""
    file = write(
        commands.folder, "sql", f"db: {commands.folder / 'events.db'}", "username: u",
        "password: 0123", 'ssl_cafile: ""', "cafile: ca.pem",
    )  # fmt: skip
    if nested is not None:
        rewritten(file, nested).replace(file)
    done = commands.run("check")
    assert done.code == 0
    assert "valid, type 'sql'" in done.out
    assert done.err.count("cafile: has no effect; ssl_cafile names the authorities to trust") == 1
    assert "0123" not in done.out + done.err
