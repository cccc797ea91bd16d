"""Whatever stands in endpoints.yml: a section, or a sentence; never another error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from event_brokers import ConfigurationError, endpoints, section
from fuzz.conftest import Fuzz
from fuzz.mutations import mutated

EXAMPLES = [
    b"""event_broker:
  type: kafka
  url: [localhost:9092, "other:9092"]
  topic: ${TOPIC:-events}
  security_protocol: SASL_SSL
  sasl_password: 'canary words'
  delivery: {spool: events.spool, max_pending: 1000}
""",
    b"""defaults: &defaults
  username: guest
  password: "canary words"
event_broker:
  <<: *defaults
  type: pika
  port: 5672
  url: !!str localhost
""",
    b"""# Rasa's
tracker_store:
  type: SQL
event_broker:
  type: event_brokers.rasa.RasaEventBroker
  broker:
    type: sql
    query: {a: ~, b: 0x1F, c: 1e3, d: 2018-06-07, e: !!binary aGk=}
    db: >-
      folded
      text
""",
]
WORDS = [
    b"event_broker:", b"\n", b"\n  ", b": ", b"- ", b"&a ", b"*a", b"<<: *a", b"<<: [*a, *a]",
    b"!!map ", b"!!set ", b"!!omap ", b"!!timestamp ", b"!!int ", b"!!python/object:os.system ",
    b"? ", b"|\n", b">\n", b"[", b"]", b"{", b"}", b'"', b"'", b"#", b"%YAML 1.1\n", b"---\n",
    b"...\n", b"${", b"$${", b"${HOME}", b"${NOT_SET}", b"${A:-", b"\t", b"\x00", b"\xff", b"\xef",
    b"\xc2\x85", b"\\x", b"\\ud800", b"1_000", b"1:30:00", b"0o7", b".inf", b"9" * 5000,
]  # fmt: skip

READERS = [section.from_file, endpoints.read]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
MAPPINGS = st.dictionaries(
    st.sampled_from(["type", "broker", "broker_type", "delivery", "url"]) | SCALARS,
    st.recursive(
        SCALARS
        | st.sampled_from(["event_brokers.rasa.RasaEventBroker", "${HOME}", "${NOT_SET}", "$${x}"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def test_a_file_is_a_section_or_a_sentence(fuzz: Fuzz, tmp_path: Path) -> None:
    """One line that tells the file's name, and nothing that could be a password."""
    file = tmp_path / "endpoints.yml"

    @settings(max_examples=200)
    @given(mutated(EXAMPLES, WORDS) | st.binary(max_size=60), st.sampled_from(READERS))
    def check(content: bytes, read: Callable[[Path], object]) -> None:
        file.write_bytes(content)
        try:
            read(file)
        except ConfigurationError as error:
            sentence = str(error)
            assert sentence.startswith(str(file))
            assert "\n" not in sentence
            # what reads options may name the value of one that is no secret
            assert read is endpoints.read or "canary words" not in sentence

    fuzz(check)


def test_a_mapping_is_a_section_or_a_sentence(fuzz: Fuzz) -> None:
    """As an application passes it, whatever its keys and values are."""

    @settings(max_examples=200)
    @given(MAPPINGS)
    def check(values: dict[Any, Any]) -> None:
        for read in (section.from_mapping, section.from_literals):
            try:
                found = read(values)
            except ConfigurationError as error:
                sentence = str(error)
                assert "\n" not in sentence
            else:
                assert all(isinstance(name, str) for name in found.values)

    fuzz(check)
