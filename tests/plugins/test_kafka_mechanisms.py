"""Every mechanism gets its options, and each refusal names the way out."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import closing
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from event_brokers import ConfigurationError, endpoints
from event_brokers.plugin.network import Address
from event_brokers_kafka import KafkaOptions, mechanisms, sign_in
from event_brokers_kafka.access import Access
from event_brokers_kafka.session import Session

TOKENS = {
    "sasl_mechanism": "OAUTHBEARER",
    "oauth_token_url": "https://tokens.example/token",
    "oauth_client_id": "client",
    "oauth_client_secret": "hunter2",
}
OVER_TLS = {**TOKENS, "security_protocol": "SASL_SSL"}
RASA_PRO = {
    "IAM_CLOUD_PROVIDER": "aws",
    "KAFKA_MSK_AWS_IAM_ENABLED": "true",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave this machine's variables out, and have every package."""
    for name in RASA_PRO:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(mechanisms, "find_spec", lambda _: object())


def read(**given: Any) -> KafkaOptions:
    """Return the options as the core makes them of a section."""
    options = endpoints.read({"type": "kafka", "url": "localhost", **given}).options
    assert isinstance(options, KafkaOptions)
    return options


def refusal(**given: Any) -> str:
    """Return the sentence with which a section is refused."""
    with pytest.raises(ConfigurationError) as caught:
        read(**given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "protocol"),
    [
        (TOKENS, "SASL_PLAINTEXT"),
        (OVER_TLS, "SASL_SSL"),
        ({"sasl_mechanism": "aws_msk_iam"}, "SASL_SSL"),
        ({"sasl_mechanism": "GSSAPI"}, "SASL_PLAINTEXT"),
        ({"sasl_mechanism": "GSSAPI", "sasl_kerberos_service_name": "k"}, "SASL_PLAINTEXT"),
        ({"sasl_mechanism": "PLAIN"}, "PLAINTEXT"),
    ],
)
def test_a_mechanism_means_a_login(given: dict[str, Any], protocol: str) -> None:
    """Also where no protocol is given, with TLS where it takes nothing else."""
    assert read(**given).protocol == protocol


@pytest.mark.parametrize(
    ("missing", "value", "problem"),
    [
        *[
            (name, value, "missing; sasl_mechanism OAUTHBEARER needs it")
            for name in ("oauth_token_url", "oauth_client_id")
            for value in (None, "")
        ],
        ("oauth_client_secret", None, "missing; sasl_mechanism OAUTHBEARER needs it"),
        ("oauth_client_secret", "", "is empty, and 'oauth_client_id' is given; give both or none"),
    ],
)
def test_what_a_token_needs_is_named(missing: str, value: str | None, problem: str) -> None:
    """One sentence for each option, also where a variable was empty."""
    assert refusal(**{**OVER_TLS, missing: value}) == f"event_broker.{missing}: {problem}"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {**OVER_TLS, "sasl_username": "alice"},
            (
                "sasl_username: has no effect with sasl_mechanism OAUTHBEARER; give sasl_mechanism "
                "PLAIN or SCRAM-SHA-256 or SCRAM-SHA-512, or take sasl_username out"
            ),
        ),
        (
            {**TOKENS, "sasl_mechanism": "PLAIN"},
            (
                "oauth_token_url: has no effect with sasl_mechanism PLAIN; "
                "give sasl_mechanism OAUTHBEARER, or take oauth_token_url out"
            ),
        ),
        (
            {"sasl_username": "a", "sasl_password": "b", "oauth_scope": "x"},
            (
                "oauth_scope: has no effect with sasl_mechanism PLAIN; "
                "give sasl_mechanism OAUTHBEARER, or take oauth_scope out"
            ),
        ),
        (
            {**OVER_TLS, "sasl_kerberos_service_name": "kafka"},
            (
                "sasl_kerberos_service_name: has no effect with sasl_mechanism OAUTHBEARER; "
                "give sasl_mechanism GSSAPI, or take sasl_kerberos_service_name out"
            ),
        ),
        (
            {**TOKENS, "security_protocol": "SSL"},
            (
                "oauth_token_url: has no effect with security_protocol SSL; "
                "give security_protocol SASL_SSL, or take oauth_token_url out"
            ),
        ),
        (
            {"sasl_mechanism": "AWS_MSK_IAM", "security_protocol": "SASL_PLAINTEXT"},
            "security_protocol: AWS_MSK_IAM needs SASL_SSL; give that",
        ),
        (
            {"sasl_mechanism": "AWS_MSK_IAM", "sasl_password": "hunter2"},
            (
                "sasl_password: has no effect with sasl_mechanism AWS_MSK_IAM; give sasl_mechanism "
                "PLAIN or SCRAM-SHA-256 or SCRAM-SHA-512, or take sasl_password out"
            ),
        ),
        (
            {**OVER_TLS, "oauth_token_url": "tokens.example"},
            "oauth_token_url: is not a URL such as https://host/token",
        ),
        (
            {**OVER_TLS, "oauth_token_url": "file:///etc/passwd"},
            "oauth_token_url: is not a URL such as https://host/token",
        ),
        (
            {**OVER_TLS, "oauth_token_url": "https://tokens.example:port/token"},
            "oauth_token_url: is not a URL such as https://host/token",
        ),
        (
            {**OVER_TLS, "oauth_token_url": "https://a:hunter2@tokens.example/token"},
            "oauth_token_url: has no user; give oauth_client_id and oauth_client_secret",
        ),
        (
            {**OVER_TLS, "oauth_token_url": "http://tokens.example", "require_tls": True},
            "oauth_token_url: has no TLS, which require_tls wants; write https://",
        ),
        (
            {**OVER_TLS, "oauth_token_url": "http://t.example", "oauth_ssl_cafile": "ca.pem"},
            "oauth_ssl_cafile: has no effect without TLS; write oauth_token_url: https://",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], sentence: str) -> None:
    """In a sentence that shows no secret."""
    assert refusal(**given) == f"event_broker.{sentence}"


@pytest.mark.parametrize(
    ("mechanism", "package", "extra"),
    [("AWS_MSK_IAM", "botocore", "aws"), ("GSSAPI", "gssapi", "gssapi")],
)
def test_a_mechanism_without_its_package_is_refused(
    mechanism: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says what to install."""

    def find(name: str) -> object:
        return None if name == package else importlib.util.find_spec(name)

    monkeypatch.setattr(mechanisms, "find_spec", find)
    assert refusal(sasl_mechanism=mechanism) == (
        f"event_broker.sasl_mechanism: '{mechanism}' needs a package; "
        f"pip install event-brokers-kafka[{extra}]"
    )


def test_rasa_pros_variables_mean_msk(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the section of its documentation, in whatever case the variables are written."""
    for name, value in RASA_PRO.items():
        monkeypatch.setenv(name, value.upper())
    options = read(security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER")
    assert (options.sasl_mechanism, options.user) == ("AWS_MSK_IAM", None)
    assert refusal(sasl_mechanism="OAUTHBEARER", sasl_username="alice").startswith(
        "event_broker.sasl_username: has no effect with sasl_mechanism AWS_MSK_IAM; "
    )
    assert refusal(sasl_mechanism="OAUTHBEARER", security_protocol="SASL_PLAINTEXT") == (
        "event_broker.security_protocol: AWS_MSK_IAM needs SASL_SSL; give that"
    )


@pytest.mark.parametrize("name", ["IAM_CLOUD_PROVIDER", "KAFKA_MSK_AWS_IAM_ENABLED"])
def test_one_variable_alone_means_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rasa Pro wants both."""
    monkeypatch.setenv(name, RASA_PRO[name])
    assert refusal(security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER") == (
        "event_broker.oauth_token_url: missing; sasl_mechanism OAUTHBEARER needs it"
    )


def test_a_token_server_goes_before_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """As does any other mechanism: what is written holds."""
    for name, value in RASA_PRO.items():
        monkeypatch.setenv(name, value)
    assert read(**OVER_TLS).sasl_mechanism == "OAUTHBEARER"
    plain = {"sasl_username": "alice", "sasl_password": "x"}
    assert read(**plain).sasl_mechanism == "PLAIN"


def test_the_clients_secret_does_not_print() -> None:
    """Nor is it, or what it is for, a place where events go."""
    assert "hunter2" not in repr(read(**OVER_TLS))
    assert not any(name.startswith("oauth") for name in KafkaOptions.place)


def test_the_clients_secret_can_come_from_a_file(tmp_path: Any) -> None:
    """As every secret can."""
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    given = {name: value for name, value in OVER_TLS.items() if name != "oauth_client_secret"}
    options = read(**given, oauth_client_secret_file=str(file))
    assert options.oauth_client_secret is not None
    assert options.oauth_client_secret.reveal() == "hunter2"


class NoTicket(Exception):
    """What gssapi raises where nobody has run kinit."""


def test_without_a_ticket_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service is `kafka` unless another is given; the package stands here as a copy."""
    asked: list[str] = []

    class Name:
        def __init__(self, name: str, name_type: object) -> None:
            del name_type
            asked.append(name)

        def canonicalize(self, mechanism: object) -> None:
            del mechanism

    class SecurityContext:
        def __init__(self, name: object, usage: str) -> None:
            del name, usage

        def step(self, token: bytes | None) -> bytes:
            del token
            raise NoTicket("canary")

    gssapi = ModuleType("gssapi")
    vars(gssapi).update(
        Name=Name,
        SecurityContext=SecurityContext,
        NameType=SimpleNamespace(hostbased_service=1),
        MechType=SimpleNamespace(kerberos=1),
    )
    monkeypatch.setitem(sys.modules, "gssapi", gssapi)
    session = cast("Session", SimpleNamespace(address=Address("broker.example", 9092)))
    for given in ({}, {"sasl_kerberos_service_name": "events"}):
        options = read(sasl_mechanism="GSSAPI", **given)
        with closing(Access(options)) as access, pytest.raises(ConfigurationError) as caught:
            sign_in._start_proof(session, options, access)
        assert str(caught.value) == (
            "event_broker.sasl_mechanism: GSSAPI has no ticket for 'broker.example' (NoTicket); "
            "run kinit, and check sasl_kerberos_service_name"
        )
    assert asked == ["kafka@broker.example", "events@broker.example"]
