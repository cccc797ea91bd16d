"""What is special about the example that is a plugin for Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import event_brokers
from event_brokers import BrokerUnavailable, ConfigurationError, ReceivedEvent
from event_brokers.endpoints import read
from event_brokers_redis import consuming
from servers import Redis
from servers.backends import Backend
from waiting import wait_until

pytestmark = pytest.mark.xdist_group("redis")


def publish(section: dict[str, Any], count: int) -> None:
    """Publish numbered events, and wait for their confirmation."""
    with event_brokers.connect(section) as broker:
        broker.publish_many([{"number": number} for number in range(count)])
        assert broker.flush(30).pending == 0


def receive(section: dict[str, Any], group: str | None) -> Iterator[ReceivedEvent | None]:
    """Return what the hook `consume` yields."""
    settings = read(section)
    received: Iterator[ReceivedEvent | None] = settings.plugin.hook.consume(
        options=settings.options, group=group, from_start=True, used=set()
    )
    return received


def failure(section: dict[str, Any]) -> str:
    """Return why `connect` fails, which is for a person to mend."""
    settings = read(section)
    with pytest.raises(ConfigurationError) as raised:
        settings.plugin.hook.connect(options=settings.options, used=set())
    return str(raised.value)


def over_tls(server: Redis, backend: Backend, **more: Any) -> dict[str, Any]:
    """Return the section that leads to the listener with TLS."""
    return {**backend.section, "url": f"localhost:{server.tls_port}", "tls": True, **more}


def test_events_go_over_tls(redis: Redis, redis_backend: Backend) -> None:
    """With the authority that was given, and with a client's certificate."""
    files = redis.certificates
    trusted = {"ssl_cafile": str(files.ca), "require_tls": True}
    client = {
        "ssl_certfile": str(files.client_certificate), "ssl_keyfile": str(files.client_key),
    }  # fmt: skip
    publish(over_tls(redis, redis_backend, **trusted), 2)
    publish(over_tls(redis, redis_backend, **trusted, **client), 1)
    assert len(redis_backend.read()) == 3


def test_the_authority_that_was_given_is_the_only_one(
    redis: Redis, redis_backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's authorities are not trusted as well, as redis-py would."""
    files = redis.certificates
    monkeypatch.setenv("SSL_CERT_FILE", str(files.ca))
    publish(over_tls(redis, redis_backend), 1)
    said = failure(over_tls(redis, redis_backend, ssl_cafile=str(files.other_ca)))
    assert said.startswith("event_broker.ssl_cafile: the certificate of 'localhost:")


def test_the_plain_port_does_not_speak_tls(redis: Redis, redis_backend: Backend) -> None:
    """Redis waits there for a command, and nothing is sent without TLS."""
    settings = read(over_tls(redis, redis_backend, url=f"localhost:{redis.port}"))
    with pytest.raises(BrokerUnavailable, match="does not answer"):
        settings.plugin.hook.connect(options=settings.options, used=set())
    with redis.connection() as client:
        assert not client.exists(redis_backend.section["stream"])


def test_a_stream_keeps_about_as_many_as_it_is_told(redis_backend: Backend) -> None:
    """The oldest entries go."""
    publish({**redis_backend.section, "max_length": 100}, 1000)
    numbers = [json.loads(each.body)["number"] for each in redis_backend.read()]
    assert 100 <= len(numbers) < 500
    assert numbers == list(range(1000 - len(numbers), 1000))


def test_a_key_that_holds_something_else_is_named(redis: Redis, redis_backend: Backend) -> None:
    """It is no outage, and what it holds stays."""
    with redis.connection() as client:
        client.set(redis_backend.section["stream"], "text")
        said = failure(redis_backend.section)
        assert said == "event_broker.stream: is the key of no stream; name another"
        assert client.get(redis_backend.section["stream"]) == "text"
        client.delete(redis_backend.section["stream"])


def test_who_has_no_right_is_told(redis: Redis, redis_backend: Backend) -> None:
    """It is no outage, either."""
    with redis.connection() as client:
        client.execute_command("ACL", "SETUSER", "guest", "on", ">guest", "~*", "-@all")
    said = failure({**redis_backend.section, "username": "guest", "password": "guest"})
    assert said.startswith("event_broker.password: ")
    assert "refuses the user 'guest'" in said


def test_what_a_killed_consumer_had_in_hand_comes_again(
    redis_backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the next consumer of the group, after a while; before what is new."""
    monkeypatch.setattr(consuming, "LEFT_MS", 1)
    publish(redis_backend.section, 2)
    killed = receive(redis_backend.section, "group")
    first = next(killed)
    assert first is not None
    other = receive(redis_backend.section, "group")
    assert wait_until(lambda: next(other)) == first


def test_what_a_live_consumer_has_in_hand_does_not(redis_backend: Backend) -> None:
    """Two consumers of one group have different events in hand."""
    publish(redis_backend.section, 2)
    one, other = (receive(redis_backend.section, "group") for _ in range(2))
    in_hand = [next(one), next(other)]
    assert [each and each.event for each in in_hand] == [{"number": 0}, {"number": 1}]


def test_an_entry_of_somebody_else_is_received_as_it_is(
    redis: Redis, redis_backend: Backend
) -> None:
    """With the reason why it is no event."""
    with redis.connection() as client:
        client.xadd(redis_backend.section["stream"], {b"\xff": b"\xff"})
    received = next(receive(redis_backend.section, None))
    assert received is not None
    assert (received.body, received.problem, received.id) == (b"", "not JSON", None)


def test_given_headers_come_back(redis_backend: Backend) -> None:
    """Whatever their names are."""
    given = {"body": "x", "header:a": "y", "ż ó": "龜"}
    with event_brokers.connect(redis_backend.section) as broker:
        broker.publish({}, headers=given)
        assert broker.flush(30).pending == 0
    received = next(receive(redis_backend.section, None))
    assert received is not None
    assert received.body == b"{}"
    assert {name: received.headers[name] for name in given} == given
