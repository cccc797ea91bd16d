"""Whoever mistypes `endpoints.yml` reads one sentence: file, line, option and the way out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from event_brokers import ConfigurationError, Options, Secret, SecretUrl, hookimpl, plugins
from event_brokers.endpoints import Settings, read, settings_for
from event_brokers.plugins import Plugin
from event_brokers.testing import MemoryBroker


class RabbitOptions(Options, frozen=True, kw_only=True):
    """Options of every kind that a plugin may have."""

    synonyms: ClassVar[Mapping[str, str]] = {"host": "url"}
    superseded: ClassVar[Mapping[str, str]] = {"raise_on_failure": "has no effect; nothing is lost"}

    topic: Annotated[str, Meta(description="where events go")]
    url: SecretUrl = SecretUrl("localhost")
    port: Annotated[int, Meta(ge=1, le=65535)] = 5672
    delay: float = 1.0
    check: bool = True
    password: Secret | None = None
    protocol: Literal["PLAINTEXT", "SSL"] = "PLAINTEXT"
    queues: str | list[str] = "events"
    query: dict[str, str] | None = None

    def __post_init__(self) -> None:
        if self.protocol == "SSL" and self.port == 5672:
            raise ValueError("port: 5672 does not speak SSL")


class RabbitPlugin(MemoryBroker):
    """A plugin with these options."""

    @hookimpl
    def options(self) -> type[Options]:
        """Return the options class."""
        return RabbitOptions


@pytest.fixture(autouse=True)
def rabbit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the type `pika` be served by the plugin above, and no other be installed."""
    found = plugins.load

    def load(type_name: str) -> Plugin:
        if type_name.casefold() == "pika":
            return Plugin("pika", "rabbit 1.0", RabbitPlugin())
        return found(type_name)

    monkeypatch.setattr(plugins, "load", load)


def read_text(folder: Path, text: str) -> Settings:
    """Return the settings of an endpoints.yml that holds a text."""
    file = folder / "endpoints.yml"
    file.write_text(text, encoding="utf-8")
    return read(file)


def sentence(folder: Path, text: str) -> str:
    """Return what a person reads who wrote that text, without the folder's name."""
    with pytest.raises(ConfigurationError) as caught:
        read_text(folder, text)
    return str(caught.value).replace(f"{folder}/", "")


def test_a_file_of_rasa_works_as_it_is(tmp_path: Path) -> None:
    """Other sections are left alone, also with tags and keys that only Rasa reads."""
    settings = read_text(
        tmp_path,
        """
action_endpoint: {url: "http://localhost:5055/webhook"}
action_endpoint: {url: "${NOT_SET_ANYWHERE}"}
models: !rasa {wait_time_between_pulls: 10}
event_broker:
  type: PIKA
  url: localhost
  topic: t
""",
    )
    assert settings.options.topic == "t"


def test_type_may_be_left_out_as_in_rasa(tmp_path: Path) -> None:
    """Without a type the section is for RabbitMQ."""
    assert read_text(tmp_path, "event_broker: {topic: t}").plugin.type == "pika"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "event_broker:\n  topic: t\n  prot: 1\n",
            "endpoints.yml:3: event_broker.prot: unknown option of 'pika'; did you mean 'port'?",
        ),
        (
            "event_broker:\n  topic: t\n  port: abc\n",
            "endpoints.yml:3: event_broker.port: 'abc' is not a whole number from 1 to 65535",
        ),
        (
            "event_broker:\n  topic: t\n  port: 70000\n",
            "endpoints.yml:3: event_broker.port: 70000 is not a whole number from 1 to 65535",
        ),
        (
            "event_broker:\n  topic: t\n  check: 1\n",
            "endpoints.yml:3: event_broker.check: 1 is not true or false",
        ),
        (
            "event_broker:\n  topic: t\n  protocol: TLS\n",
            "endpoints.yml:3: event_broker.protocol: 'TLS' is not one of PLAINTEXT, SSL",
        ),
        (
            "event_broker:\n  topic: 1.5\n",
            "endpoints.yml:2: event_broker.topic: 1.5 is not text; put it in quotes",
        ),
        (
            "event_broker:\n  topic: t\n  password: {a: 7777}\n",
            "endpoints.yml:3: event_broker.password: the value is not text (secret)",
        ),
        (
            "event_broker:\n  topic: t\n  queues: {a: b}\n",
            "endpoints.yml:3: event_broker.queues: a mapping is not text or a list of text",
        ),
        (
            "event_broker:\n  port: 1\n",
            "endpoints.yml: event_broker.topic: missing; 'pika' needs it",
        ),
        (
            "event_broker:\n  topic: t\n  topic: u\n",
            "endpoints.yml:3: event_broker.topic: given twice, first in line 2; remove one",
        ),
        (
            "event_broker: {topic: t}\nevent_broker: {topic: u}\n",
            "endpoints.yml:2: event_broker: given twice, first in line 1; remove one",
        ),
        (
            "event_broker:\n  topic: t\n  host: a\n  url: b\n",
            "endpoints.yml:4: event_broker.url: says the same as 'host'; give one of them",
        ),
        (
            "event_broker:\n  topic: t\n  protocol: ssl\n  port: 5672\n",
            "endpoints.yml:4: event_broker.port: 5672 does not speak SSL",
        ),
        (
            "event_broker:\n  topic: t\n  delivery:\n    max_pendin: 1\n",
            (
                "endpoints.yml:4: event_broker.delivery.max_pendin: unknown option of 'delivery'; "
                "did you mean 'max_pending'?"
            ),
        ),
        (
            "event_broker:\n  topic: t\n  delivery: 5\n",
            "endpoints.yml:3: event_broker.delivery: must hold options, such as max_pending: 1000",
        ),
        (
            "event_broker:\n  topic: ${UNSET_VARIABLE}\n",
            (
                "endpoints.yml:2: event_broker.topic: "
                "the environment variable UNSET_VARIABLE is not set"
            ),
        ),
        ("event_broker:\n", "endpoints.yml:1: event_broker: must hold options, such as a type"),
        ("event_brokers: {}\n", "endpoints.yml: no section 'event_broker'; is it 'event_brokers'?"),
        ("", "endpoints.yml: no section 'event_broker'"),
        (
            "a: [\n",
            (
                "endpoints.yml:2: not valid YAML: "
                "expected the node content, but found '<stream end>'"
            ),
        ),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, text: str, expected: str) -> None:
    """File, line, option, what is wrong and the way out, for every kind of mistake."""
    assert sentence(tmp_path, text) == expected


@pytest.mark.parametrize("key", ["anonymization_topics", "anonymization_queues", "stream_pii"])
def test_what_only_rasa_pro_knows_is_refused(tmp_path: Path, key: str) -> None:
    """With these keys ignored personal data would flow, so they are never ignored."""
    said = sentence(tmp_path, f"event_broker:\n  topic: t\n  {key}: []\n")
    assert said.startswith(f"endpoints.yml:3: event_broker.{key}: only Rasa Pro ")
    assert "personal data" in said


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is a sentence, too."""
    with pytest.raises(ConfigurationError, match=r"nowhere\.yml: no such file or directory"):
        read(tmp_path / "nowhere.yml")


def test_variables_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`${NAME}`, `${NAME:-default}`, and `$${` for a text that has `${` in it."""
    monkeypatch.setenv("A_PORT", "5673")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("UNSET", raising=False)
    options = read_text(
        tmp_path,
        "event_broker: {topic: '${UNSET:-t}${EMPTY:-u}${EMPTY}', port: '${A_PORT}',"
        " password: '$${A_PORT}', queues: ['${A_PORT}'], query: {a: '${A_PORT}'}}",
    ).options
    assert (options.topic, options.port, options.queues) == ("tu", 5673, ["5673"])
    assert options.password.reveal() == "${A_PORT}"
    assert options.query == {"a": "5673"}


def test_secrets_can_stand_in_files_and_never_print(tmp_path: Path) -> None:
    """`password_file` is for every secret option; no repr shows what was read."""
    (tmp_path / "password").write_text("hunter2\n")
    section = {"topic": "t", "password_file": str(tmp_path / "password"), "url": "amqp://u:pw@h/"}
    settings = read(section)
    assert settings.options.password == Secret("hunter2")
    assert "hunter2" not in repr(settings)
    assert "pw" not in repr(settings.options.url)
    assert repr(settings.options.url) == "amqp://u:***@h/"
    assert sorted(settings.secrets()) == ["hunter2", "pw"]
    with pytest.raises(ConfigurationError, match="says the same as 'password_file'"):
        read({**section, "password": "x"})
    with pytest.raises(ConfigurationError, match=r"event_broker\.password_file: '/no/file' cannot"):
        read({**section, "password_file": "/no/file"})


def test_an_option_without_effect_is_said_and_not_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An existing Rasa file starts, and its owner reads what happens instead."""
    caplog.set_level(logging.WARNING)
    read({"topic": "t", "raise_on_failure": True})
    assert caplog.messages == ["event_broker.raise_on_failure: has no effect; nothing is lost"]


def test_options_given_in_python_are_taken_to_the_letter() -> None:
    """A password given to a class may hold anything; None means not given."""
    settings = settings_for("pika", {"topic": "t", "password": "${x}", "query": None})
    assert settings.options.password == Secret("${x}")
    assert settings.options.query is None


@pytest.mark.parametrize(
    ("type_name", "expected"),
    [
        ("pikka", "no plugin serves 'pikka'; did you mean 'pika'? installed: "),
        ("rabbit-9", "no plugin serves 'rabbit-9'; installed: "),
    ],
)
def test_an_unknown_type_is_a_sentence(tmp_path: Path, type_name: str, expected: str) -> None:
    """A near miss gets a suggestion; everybody reads what is installed."""
    said = sentence(tmp_path, f"event_broker:\n  type: {type_name}\n")
    assert said.startswith(f"endpoints.yml:2: event_broker.type: {expected}")


keys = st.sampled_from(["topic", "port", "password", "url", "delivery", "type", "prot", "queues"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(keys, values))
def test_no_section_ends_in_a_traceback(section: dict[str, Any]) -> None:
    """Whatever stands in the section, it is settings or a ConfigurationError."""
    try:
        read(section)
    except ConfigurationError as error:
        assert str(error).startswith("event_broker")  # noqa: PT017 - either outcome is right
