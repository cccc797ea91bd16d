"""AWS_MSK_IAM: kafka-python signs with what botocore finds, and botocore signs the same."""

from __future__ import annotations

import json
import threading
import urllib.parse
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import Session
from kafka.net.sasl import get_sasl_mechanism

from event_brokers import BrokerUnavailable, ConfigurationError, endpoints
from event_brokers.plugin.network import Address
from event_brokers_kafka import KafkaOptions
from event_brokers_kafka.access import Access
from event_brokers_kafka.aws import find_credentials
from event_brokers_kafka.clients import Entrance
from event_brokers_kafka.inspection import describe_login
from event_brokers_kafka.kafka_python.settings import common_settings

HOST = "b-1.cluster.kafka.eu-west-1.amazonaws.com"
KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session/token+="


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let botocore find what the test gives, and nothing of this machine's."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def options(**given: Any) -> KafkaOptions:
    """Return the options of a section for Amazon MSK."""
    section = {"type": "kafka", "url": f"{HOST}:9098", "sasl_mechanism": "AWS_MSK_IAM", **given}
    made = endpoints.read(section).options
    assert isinstance(made, KafkaOptions)
    return made


def signed_by_botocore(message: dict[str, str], token: str | None) -> str:
    """Return botocore's own signature of what a login asks for."""
    request = AWSRequest(
        "GET", f"https://{HOST}/?Action=kafka-cluster%3AConnect", headers={"host": HOST}
    )
    request.context["timestamp"] = message["x-amz-date"]
    credentials = Credentials(KEY, SECRET, token)
    signer = SigV4QueryAuth(credentials, "kafka-cluster", "eu-west-1", expires=900)
    signer._modify_request_before_signing(request)
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.url).query))
    assert query["X-Amz-Credential"] == message["x-amz-credential"]
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))


@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_login_is_signed_as_botocore_signs(
    token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what botocore found on our thread; kafka-python's own way leads to it no more."""
    if token is not None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    with closing(Access(options())) as access:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)  # whoever looks again finds nothing
        settings = common_settings(Entrance(options(), access, Address(HOST, 9098)))
        assert settings["security_protocol"] == "SASL_SSL"
        assert settings["sasl_mechanism"] == "AWS_MSK_IAM"
        mechanism = get_sasl_mechanism("AWS_MSK_IAM")(host=HOST, **settings)
        message = json.loads(mechanism.auth_bytes())
    assert message["host"] == HOST
    assert message.get("x-amz-security-token") == token
    assert message["x-amz-signature"] == signed_by_botocore(message, token)
    mechanism.receive(b'{"version":"2020_10_22"}')
    assert mechanism.is_done()
    assert mechanism.is_authenticated()


def test_others_in_the_process_log_in_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program's own use of kafka-python finds its credentials as kafka-python does."""
    made: list[Session] = []
    look = Session.get_credentials

    def watched(session: Session) -> Any:
        made.append(session)
        return look(session)

    monkeypatch.setattr(Session, "get_credentials", watched)
    mechanism = get_sasl_mechanism("AWS_MSK_IAM")(host=HOST, security_protocol="SASL_SSL")
    assert json.loads(mechanism.auth_bytes())["x-amz-credential"].startswith(f"{KEY}/")
    assert made


def test_only_a_thread_of_ours_looks_for_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may have to come from a server."""
    asked: list[str] = []
    look = Session.get_credentials

    def watched(session: Session) -> Any:
        asked.append(threading.current_thread().name)
        return look(session)

    monkeypatch.setattr(Session, "get_credentials", watched)
    with closing(Access(options())) as access:
        get_sasl_mechanism("AWS_MSK_IAM")(
            host=HOST, security_protocol="SASL_SSL", **access.login
        ).auth_bytes()
    assert asked == ["event-brokers-login"]


def test_without_credentials_or_region_the_way_out_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before any broker is asked."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ConfigurationError) as caught:
        Access(options())
    assert str(caught.value) == (
        "event_broker.sasl_mechanism: AWS_MSK_IAM knows no region; set AWS_DEFAULT_REGION"
    )
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ConfigurationError) as caught:
        Access(options())
    assert str(caught.value) == (
        "event_broker.sasl_mechanism: AWS_MSK_IAM finds no AWS credentials; set "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role"
    )


def test_half_a_configuration_of_aws_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that is not there, and a key without its secret."""
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(
        ConfigurationError, match=r"\(ProfileNotFound\); check AWS_PROFILE, the AWS_"
    ):
        find_credentials()
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigurationError, match=r"\(PartialCredentialsError\); check AWS_"):
        find_credentials()


def test_a_server_of_credentials_that_does_not_answer_may_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is no mistake, and its text is not shown."""

    def fail(_session: Session) -> None:
        raise exceptions.CredentialRetrievalError(provider="x", error_msg="canary")

    monkeypatch.setattr(Session, "get_credentials", fail)
    with pytest.raises(BrokerUnavailable) as caught:
        find_credentials()
    assert str(caught.value) == "no AWS credentials: CredentialRetrievalError"


def test_no_secret_prints() -> None:
    """Neither the key's secret nor a session's token."""
    lease = find_credentials()
    assert (lease.value.access_key, lease.value.region) == (KEY, "eu-west-1")
    assert SECRET not in repr(lease)
    assert describe_login(options()) == "by AWS_MSK_IAM, TLS with hostname check"
