"""The options of type `kafka` say what they take, and never weaken what was asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import ConfigurationError, endpoints
from event_brokers.plugin.network import Address
from event_brokers_kafka import KafkaOptions, KafkaProducer
from event_brokers_kafka.address import DEFAULT_PORT, parse

HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{1,5}){0,2}", fullmatch=True)
IPV6 = st.ip_addresses(v=6).map(str)
PORTS = st.integers(min_value=1, max_value=65535)
ADDRESSES = st.builds(Address, HOSTS | IPV6, PORTS)
SPACES = st.sampled_from(["", " ", "  "])


def read(**given_options: Any) -> KafkaOptions:
    """Return the options as the core makes them of a section."""
    section = {"type": "kafka", "url": "localhost", **given_options}
    options = endpoints.read(section).options
    assert isinstance(options, KafkaOptions)
    return options


def refusal(**given_options: Any) -> str:
    """Return the sentence with which a section is refused."""
    with pytest.raises(ConfigurationError) as caught:
        read(**given_options)
    return str(caught.value)


@given(st.lists(ADDRESSES, min_size=1, unique=True), SPACES)
def test_every_list_of_addresses_is_read_as_it_is_printed(
    wanted: list[Address], space: str
) -> None:
    """A comma list and a YAML list of host:port, also with IPv6, give the same addresses."""
    texts = [str(address) for address in wanted]
    assert parse(f"{space},{space}".join(texts)) == wanted
    assert parse(texts) == wanted


@given(HOSTS)
def test_a_host_without_a_port_has_kafkas_port(host: str) -> None:
    """The port is 9092 where none is given, also behind an IPv6 address in brackets."""
    assert parse(host) == [Address(host, DEFAULT_PORT)]
    assert parse("[::1]") == [Address("::1", DEFAULT_PORT)]


@given(st.text(max_size=30))
def test_any_text_is_addresses_or_a_value_error(text: str) -> None:
    """No text makes the reader of `url` fail in any other way."""
    try:
        found = parse(text)
    except ValueError:
        return
    assert found
    assert all(address.host and 1 <= address.port <= 65535 for address in found)


def test_an_address_given_twice_is_asked_once() -> None:
    """A repeated address is one address."""
    assert parse("a:1, b,a:1") == [Address("a", 1), Address("b", DEFAULT_PORT)]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "event_broker.url: is empty; 'kafka' needs it"),
        (",", "event_broker.url: no host; give host, host:port or a list of these"),
        ([], "event_broker.url: no host; give host, host:port or a list of these"),
        ("localhost:0", "event_broker.url: 'localhost:0' has no port from 1 to 65535"),
        ("localhost:70000", "event_broker.url: 'localhost:70000' has no port from 1 to 65535"),
        ("local host", "event_broker.url: 'local host' is not host or host:port"),
        ("localhost:abc", "event_broker.url: 'localhost:abc' is not host or host:port"),
        (
            "::1",
            "event_broker.url: '::1' is not host or host:port; an IPv6 address goes in brackets",
        ),
        (
            "kafka://localhost",
            (
                "event_broker.url: 'kafka://localhost' is not host or host:port; "
                "security_protocol says how to speak"
            ),
        ),
        (
            "kafka://alice:hunter2@localhost",
            "event_broker.url: a host has no user; give sasl_username and sasl_password",
        ),
    ],
)
def test_an_unusable_url_is_refused_in_words(url: Any, sentence: str) -> None:
    """What is no address is named, and a password in it is not shown."""
    assert refusal(url=url) == sentence


def test_the_defaults_are_those_of_rasa_but_for_the_key() -> None:
    """Only `url` has to be given."""
    options = read()
    assert options.topic == "rasa_core_events"
    assert options.partition_by_sender
    assert options.ssl_check_hostname
    assert options.protocol == "PLAINTEXT"
    assert not options.uses_sasl
    assert not options.uses_tls


def test_rasas_default_of_no_key_is_accepted() -> None:
    """`partition_by_sender: false` is taken as written."""
    assert not read(partition_by_sender=False).partition_by_sender


def test_a_user_means_a_login() -> None:
    """Without security_protocol, a user makes it SASL_PLAINTEXT, by both names of the option."""
    assert read(sasl_username="alice", sasl_password="x").protocol == "SASL_PLAINTEXT"
    old = read(sasl_plain_username="alice", sasl_plain_password="x")
    assert old.protocol == "SASL_PLAINTEXT"
    assert old.sasl_password is not None
    assert old.sasl_password.reveal() == "x"


def test_case_does_not_matter() -> None:
    """Protocols, mechanisms and codecs are recognised in any case."""
    options = read(
        security_protocol="sasl_ssl",
        sasl_mechanism="scram-sha-512",
        sasl_username="alice",
        sasl_password="x",
        compression_type="GZIP",
    )
    assert (options.protocol, options.sasl_mechanism) == ("SASL_SSL", "SCRAM-SHA-512")
    assert options.compression_type == "gzip"
    assert options.uses_tls


@pytest.mark.parametrize("name", ["ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password"])
@pytest.mark.parametrize("protocol", [None, "PLAINTEXT"])
def test_a_tls_option_without_tls_is_refused(name: str, protocol: str | None) -> None:
    """Whoever names a certificate is never connected in plain text without being told."""
    sentence = refusal(security_protocol=protocol, **{name: "x"})
    assert sentence.startswith(f"event_broker.{name}: has no effect with security_protocol PLAIN")
    assert "give security_protocol SSL or SASL_SSL" in sentence


def test_a_tls_option_beside_a_login_without_tls_is_refused() -> None:
    """The protocol that a user stands for is not silently kept where TLS was meant."""
    sentence = refusal(sasl_username="alice", sasl_password="x", ssl_cafile="ca.pem")
    assert sentence == (
        "event_broker.ssl_cafile: has no effect with security_protocol SASL_PLAINTEXT, which "
        "holds where none is given; give security_protocol SASL_SSL, or take ssl_cafile out"
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"security_protocol": ""},
            (
                "event_broker.security_protocol: '' is not one of "
                "PLAINTEXT, SASL_PLAINTEXT, SASL_SSL, SSL"
            ),
        ),
        (
            {"sasl_username": "alice", "sasl_password": ""},
            "event_broker.sasl_password: is empty, and 'sasl_username' is given; give both or none",
        ),
        (
            {"sasl_plain_username": "alice", "sasl_plain_password": ""},
            (
                "event_broker.sasl_plain_password: is empty, and 'sasl_username' is given; "
                "give both or none"
            ),
        ),
        (
            {"sasl_password": "hunter2"},
            "event_broker.sasl_username: missing, although sasl_password is given; give both",
        ),
        (
            {"sasl_username": "alice"},
            "event_broker.sasl_password: missing; SASL_PLAINTEXT needs it",
        ),
        (
            {"security_protocol": "SASL_SSL"},
            "event_broker.sasl_username: missing; SASL_SSL needs it",
        ),
        (
            {"security_protocol": "SSL", "ssl_keyfile": "key.pem"},
            "event_broker.ssl_keyfile: has no effect without ssl_certfile; give both",
        ),
        (
            {"topic": "two words"},
            (
                "event_broker.topic: 'two words' is no topic's name; "
                "take 1 to 249 letters, digits, '.', '_' and '-'"
            ),
        ),
        (
            {"require_tls": True},
            (
                "event_broker.require_tls: there is no TLS with security_protocol PLAINTEXT, which "
                "holds where none is given; give security_protocol SSL or SASL_SSL"
            ),
        ),
        (
            {
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_username": "alice",
                "sasl_password": "x",
                "require_tls": "true",
            },
            (
                "event_broker.require_tls: there is no TLS with security_protocol SASL_PLAINTEXT; "
                "give security_protocol SASL_SSL"
            ),
        ),
        (
            {"security_protocol": "TLS"},
            (
                "event_broker.security_protocol: 'TLS' is not one of "
                "PLAINTEXT, SASL_PLAINTEXT, SASL_SSL, SSL"
            ),
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: dict[str, Any], sentence: str
) -> None:
    """The sentence names the option and the way out."""
    assert refusal(**options) == sentence


@pytest.mark.parametrize(
    ("codec", "package"),
    [("snappy", "python-snappy"), ("lz4", "lz4"), ("zstd", "zstandard")],
)
def test_a_codec_without_its_package_is_refused(
    codec: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says what to install."""
    monkeypatch.setattr(f"kafka.codec.has_{codec}", lambda: False)
    assert refusal(compression_type=codec) == (
        f"event_broker.compression_type: '{codec}' needs a package; pip install {package}"
    )


@pytest.mark.parametrize("codec", ["none", "gzip"])
def test_two_codecs_need_no_package(codec: str) -> None:
    """None and gzip always work."""
    assert read(compression_type=codec).compression_type == codec


@pytest.mark.parametrize(
    ("protocol", "instead"),
    [("PLAINTEXT", "SASL_PLAINTEXT or SASL_SSL"), ("SSL", "SASL_SSL")],
)
def test_a_login_beside_a_protocol_without_one_is_warned_of(
    protocol: str, instead: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As the default files of Rasa's Helm chart have it; and the password is not shown."""
    options = read(security_protocol=protocol, sasl_username="alice", sasl_password="hunter2")
    assert not options.uses_sasl
    assert caplog.messages == [
        f"event_broker.{name}: has no effect with security_protocol {protocol}; "
        f"give security_protocol {instead}, or take {name} out"
        for name in ("sasl_username", "sasl_password")
    ]


def test_rasas_queue_size_is_accepted_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """The option has no effect, and the log says where events wait instead."""
    read(queue_size=1000)
    assert "delivery.max_pending" in caplog.text


def test_tls_that_is_required_is_there() -> None:
    """The option is a bolt, and changes nothing where there is TLS."""
    assert read(security_protocol="SSL", require_tls=True).uses_tls


def test_what_says_where_events_go_holds_no_secret() -> None:
    """A spool remembers it: the brokers and the topic."""
    assert KafkaOptions.place == ("url", "topic")
    assert all(
        "Secret" not in str(KafkaOptions.__annotations__[name]) for name in KafkaOptions.place
    )


def test_secrets_do_not_print() -> None:
    """Neither password shows in the repr of the options."""
    options = read(
        security_protocol="SASL_SSL",
        sasl_username="alice",
        sasl_password="hunter2",
        ssl_certfile="c.pem",
        ssl_password="hunter3",
    )
    assert "hunter" not in repr(options)


def test_the_class_of_the_original_documentation_reads_the_same_options() -> None:
    """A mistake in Python gets the sentence that YAML would get."""
    with pytest.raises(ConfigurationError, match=r"event_broker\.topic: 'a b' is no topic's name"):
        KafkaProducer(host=["localhost:9092", "other"], topic="a b")
    with pytest.raises(ConfigurationError, match=r"did you mean 'sasl_plain_username'"):
        KafkaProducer(host="localhost", sasl_plain_usrname="alice")
