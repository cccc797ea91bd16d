"""The options of type `http` say what they take, and let nothing into a header that ends it."""

from __future__ import annotations

import base64
import logging
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import ConfigurationError, endpoints
from event_brokers.plugin.network import Address
from event_brokers_http import HTTPOptions, HTTPProducer
from event_brokers_http.address import parse

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{1,5}){0,2}", fullmatch=True)
ADDRESSES = st.builds(Address, HOSTS | st.ip_addresses(v=6).map(str), st.integers(1, 65535))
PATHS = st.from_regex(r"(/[A-Za-z0-9._~%-]{0,8}){1,3}(\?[a-z]=[a-z0-9]{0,5})?", fullmatch=True)


def read(**options: Any) -> HTTPOptions:
    """Return the options as the core makes them of a section."""
    found = endpoints.read({"type": "http", "url": "https://localhost/events", **options}).options
    assert isinstance(found, HTTPOptions)
    return found


def refusal(**options: Any) -> str:
    """Return the sentence with which a section is refused."""
    with pytest.raises(ConfigurationError) as caught:
        read(**options)
    return str(caught.value)


@given(st.sampled_from(["http", "https"]), ADDRESSES, PATHS)
def test_every_url_is_read_as_it_is_written(scheme: str, address: Address, path: str) -> None:
    """Scheme, host, port, path and query; a path that is not given is /."""
    url = parse(f"{scheme}://{address}{path}")
    assert (url.scheme, url.address, url.target) == (scheme, address, path)
    assert parse(f"{scheme}://{address}").target == "/"
    assert parse(f"{address}").scheme == "https"


@given(st.text(max_size=40) | st.text("htps:/@[]?#%.a1", max_size=30))
def test_any_text_is_a_url_or_a_value_error(text: str) -> None:
    """No text makes the reader of `url` fail otherwise, and none yields a target with a blank."""
    try:
        found = parse(text)
    except ValueError:
        return
    assert found.target.startswith("/") or found.target.startswith("?")
    assert found.target.isascii()
    assert found.target.isprintable()
    assert " " not in found.target


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"url": "ftp://localhost"}, "url: begins with neither https:// nor http://"),
        ({"url": "https://"}, "url: no host; give https://host/path"),
        ({"url": "https://localhost/#part"}, "url: what stands behind '#' is never sent"),
        ({"url": "https://localhost/ü"}, "url: a character is not ASCII"),
        ({"url": "https://localhost/a b"}, "url: holds a blank or a control character"),
        ({"url": "https://localhost/\r\nX: 1"}, "url: holds a blank or a control character"),
        ({"url": "http://localhost:443"}, "url: port 443 is that of https://; write https://"),
        ({"url": "https://localhost:0"}, "url: 'localhost:0' has no port from 1 to 65535"),
        ({"method": "GET"}, "method: 'GET' is not one of PATCH, POST, PUT"),
        ({"timeout": 0}, "timeout: 0 is not a number above 0 and 300 or less"),
        ({"token": "a b"}, "token: holds a blank or a character that is not ASCII"),
        ({"token": "a\r\nb"}, "token: holds a blank or a character that is not ASCII"),
        ({"token": "a", "username": "b"}, "token: has no effect beside a user and password"),
        ({"password": "a"}, "password: has no effect without username; give both"),
        ({"username": "a:b"}, "username: holds a colon or a control character"),
        (
            {"url": "https://a:b@localhost", "username": "a"},
            "username: the url names a user, too; give one",
        ),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, "headers: X-A holds a line break"),
        ({"headers": {"X-A": "ü"}}, "headers: X-A holds a line break, a character that is not"),
        ({"headers": {"X-A": " a"}}, "headers: X-A holds a line break"),
        ({"headers": {"X-A": ""}}, "headers: X-A is empty; give it a value, or take it out"),
        ({"headers": {"X-A: b\r\nX-B": "a"}}, "headers: a name is no name of a header"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "headers: x-a is given twice; take one out"),
        ({"headers": {"Content-Length": "1"}}, "headers: Content-Length is set by event-brokers"),
        ({"headers": {"ce-id": "1"}}, "headers: ce-id is set by event-brokers itself"),
        (
            {"headers": {"authorization": "a"}, "token": "b"},
            "headers: Authorization is set by the login, too; give one",
        ),
        (
            {"format": "cloudevents-binary", "batch": "array"},
            "format: cloudevents-binary has one event a request; take batch out",
        ),
        ({"format": "cloudevents", "source": "a b"}, "source: is no URI reference"),
        ({"signing_secret": "whsec_?"}, "signing_secret: is not whsec_ and base64; copy it whole"),
        ({"signing_secret": "whsec_YWJj"}, "signing_secret: stands for 3 bytes, not 24 to 64"),
        ({"url": "http://localhost", "require_tls": True}, "require_tls: there is no TLS with"),
        (
            {"url": "http://localhost", "ssl_cafile": "ca.pem"},
            "ssl_cafile: has no effect with http://; write https://",
        ),
        ({"ssl_keyfile": "key.pem"}, "ssl_keyfile: has no effect without ssl_certfile; give both"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence(options: dict[str, Any], sentence: str) -> None:
    """Named is the option, and the way out."""
    assert refusal(**options).startswith(f"event_broker.{sentence}")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"token": ""}, "token: is empty; give it a value, or take it out"),
        ({"signing_secret": ""}, "signing_secret: is empty; give it a value, or take it out"),
        ({"require_tls": ""}, "require_tls: is empty; give it a value, or take it out"),
        (
            {"username": "a", "password": ""},
            "password: is empty, and 'username' is given; give both or none",
        ),
    ],
)
def test_a_variable_without_content_takes_no_protection_away(
    options: dict[str, Any], sentence: str
) -> None:
    """What is empty, as an environment variable leaves it, is refused where it protects."""
    assert refusal(**options) == f"event_broker.{sentence}"


@pytest.mark.parametrize(
    "url", ["https://user:canary/x@localhost/", "https://user:ca?nary@localhost", "h://a:canary@b",
            "https://user:can#ary@localhost", "https://user:canary"]
)  # fmt: skip
def test_a_password_that_breaks_a_url_is_not_shown(url: str) -> None:
    """Whatever cannot be read may be a part of one."""
    sentence = refusal(url=url)
    assert "canary" not in sentence
    assert "nary" not in sentence


def test_no_secret_is_shown() -> None:
    """Not in the repr of the options: password, token, secrets, headers, and those of a url."""
    mark = secrets.token_hex(8)
    shown = [
        repr(read(token=mark)),
        repr(read(username="me", password=mark)),
        repr(read(headers={"X-Api-Key": mark, "X-Other": mark})),
        repr(read(signing_secret=f"{SECRET} {SECRET}")),
        repr(read(url=f"https://me:{mark}@localhost/?token={mark}")),
        repr(endpoints.read({"type": "http", "url": f"https://me:{mark}@localhost/?token={mark}"})),
        repr(read(url=f"https://me:{mark}@localhost").parsed_url),
    ]
    assert not any(mark in each or SECRET in each for each in shown)
    assert mark in "".join(
        endpoints.read({"type": "http", "url": "https://a", "headers": {"X-A": mark}}).secrets()
    )


def test_no_file_holds_the_headers() -> None:
    """A file holds one secret: they have names, too."""
    assert refusal(headers_file="x") == (
        "event_broker.headers_file: unknown option of 'http'; did you mean 'headers'?"
    )


def test_keys_of_other_endpoints_have_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    """Rasa's sections of endpoints may have them; `token` and `headers` have an effect here."""
    with caplog.at_level(logging.WARNING, "event_brokers"):
        options = read(
            token="t", headers={"X-A": "1"}, token_name="x", params={"a": "b"}, cafile="ca.pem",
            retry_delay_in_seconds=1,
        )  # fmt: skip
    assert options.token is not None
    assert options.token.reveal() == "t"
    assert caplog.messages == [
        "event_broker.token_name: has no effect; the token is sent as Authorization: Bearer",
        "event_broker.params: has no effect; write them into the url, behind a question mark",
        "event_broker.cafile: has no effect; ssl_cafile names the authorities to trust",
        (
            "event_broker.retry_delay_in_seconds: has no effect; the delays between attempts grow "
            "from 0.1 s to 30 s"
        ),
    ]


def test_a_bound_without_a_batch_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """It would be passed over in silence otherwise."""
    with caplog.at_level(logging.WARNING, "event_brokers"):
        assert read(max_batch=5).events_in_a_request == 1
    assert caplog.messages == [
        "event_broker.max_batch: has no effect with batch: none; give batch: array or lines"
    ]
    assert read(batch="lines", max_batch=5).events_in_a_request == 5
    assert read(batch="array").events_in_a_request == 100


def test_the_class_takes_the_url_and_every_option() -> None:
    """As the classes of the other types do."""
    with pytest.raises(ConfigurationError, match=r"event_broker\.tokn: unknown option of 'http'"):
        HTTPProducer("https://localhost", tokn="a")
    HTTPProducer("https://localhost", token="a").close()
