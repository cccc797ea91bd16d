"""What is special about the example that is a plugin for NATS."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from nats.js import JetStreamContext

import event_brokers
from event_brokers import ConfigurationError, ReceivedEvent
from event_brokers.endpoints import read
from event_brokers_nats import consuming
from servers import Certificates, Nats
from servers.backends import Backend
from waiting import wait_until

pytestmark = pytest.mark.xdist_group("nats")


def publish(section: dict[str, Any], *events: dict[str, Any], **more: Any) -> list[str]:
    """Publish events, wait for their confirmation, and return their ids."""
    with event_brokers.connect(section) as broker:
        ids = [broker.publish(event, **more) for event in events]
        assert broker.flush(30).pending == 0
    return ids


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


def over_tls(server: Nats, certificates: Certificates, **more: Any) -> dict[str, Any]:
    """Return the section that leads to a server with TLS."""
    return {
        "type": "nats", "url": f"localhost:{server.port}", "tls": True, "username": server.username,
        "password": server.password, "ssl_cafile": str(certificates.ca), **more,
    }  # fmt: skip


def test_events_go_over_tls(nats_over_tls: Nats, certificates: Certificates) -> None:
    """With the authority that was given, and no other one."""
    publish(over_tls(nats_over_tls, certificates, require_tls=True), {"n": 1})
    received = next(receive(over_tls(nats_over_tls, certificates), None))
    assert received is not None
    assert received.event == {"n": 1}
    other = str(certificates.other_ca)
    said = failure(over_tls(nats_over_tls, certificates, ssl_cafile=other))
    assert said.startswith("event_broker.ssl_cafile: the certificate of 'localhost:")


def test_a_server_that_wants_tls_is_not_talked_to_without(
    nats_over_tls: Nats, certificates: Certificates
) -> None:
    """The sentence names the option."""
    section = {**over_tls(nats_over_tls, certificates), "tls": False, "ssl_cafile": None}
    said = failure({name: value for name, value in section.items() if value is not None})
    assert said.startswith("event_broker.tls: 'localhost:")
    assert said.endswith(" wants TLS; give tls: true")


@pytest.fixture
def impostor() -> Iterator[tuple[int, list[bytes]]]:
    """Return a port at which NATS is greeted with but no TLS follows, and what is said there."""
    said: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(
                b'INFO {"server_id": "x", "headers": true, "auth_required": true}\r\n'
            )
            while data := connection.recv(65536):
                said.append(data)
                if b"PING" in data:
                    connection.sendall(b"PONG\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        yield listener.getsockname()[1], said
        server.join()


@pytest.mark.parametrize("with_password", [True, False])
def test_a_server_without_tls_gets_neither_password_nor_event(
    impostor: tuple[int, list[bytes]], certificates: Certificates, with_password: bool
) -> None:
    """NATS greets in plain text and says itself whether TLS follows: so could anybody between."""
    port, said = impostor
    section = {
        "type": "nats", "url": f"127.0.0.1:{port}", "tls": True, "ssl_cafile": str(certificates.ca),
    }  # fmt: skip
    if with_password:
        section |= {"username": "me", "password": "canary"}
    assert "offers no TLS" in failure(section)
    assert b"canary" not in b"".join(said)
    assert b"PUB" not in b"".join(said)


def test_an_event_that_is_sent_again_is_stored_once(nats_backend: Backend) -> None:
    """Within the stream's duplicate window, by the header Nats-Msg-Id."""
    for _ in range(2):
        publish(nats_backend.section, {"n": 1}, event_id="żółw 1")
    assert [each.event_id for each in nats_backend.read()] == ["żółw 1"]


@pytest.mark.parametrize("by", ["server", "stream"])
def test_an_event_that_is_too_large_is_a_dead_letter(
    nats: Nats, nats_backend: Backend, by: str
) -> None:
    """To the byte, and the events around it arrive in order."""
    name, most = nats_backend.section["stream"], nats.max_payload
    if by == "stream":
        most = 5000
        nats.run(lambda js: js.add_stream(name=name, subjects=[name], max_msg_size=most))
    with event_brokers.connect(nats_backend.section) as broker:
        broker.publish({"n": 1})
        too_large = broker.publish({"text": "x" * most})
        broker.publish({"n": 2})
        status = broker.flush(30)
        (letter,) = broker.dead_letters()
    assert (status.delivered, letter.event.id) == (2, too_large)
    assert "more than" in letter.reason
    assert [each.body for each in nats_backend.read()] == [b'{"n":1}', b'{"n":2}']


def test_the_largest_event_that_the_server_takes_arrives(nats: Nats, nats_backend: Backend) -> None:
    """The plugin counts the bytes as the server does: one more is refused, and none less."""
    event_id, head = "largest", "NATS/1.0\r\nevent_id: largest\r\nNats-Msg-Id: largest\r\n\r\n"
    length = nats.max_payload - len(head) - len('{"text":""}')
    with event_brokers.connect(nats_backend.section) as broker:
        broker.publish({"text": "x" * length}, event_id=event_id)
        broker.publish({"text": "x" * (length + 1)}, event_id="larger!")
        status = broker.flush(30)
        assert (status.delivered, status.dead_letters) == (1, 1)


def test_what_a_killed_consumer_had_in_hand_comes_again(
    nats_backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the next consumer of the group, after a while."""
    monkeypatch.setattr(consuming, "LEFT_SECONDS", 0.5)
    publish(nats_backend.section, {"n": 0}, {"n": 1})
    killed = receive(nats_backend.section, "group")
    first = next(killed)
    assert first is not None
    other = receive(nats_backend.section, "group")
    assert wait_until(lambda: next(other) == first)


def test_a_message_of_somebody_else_is_received_as_it_is(nats: Nats, nats_backend: Backend) -> None:
    """With the reason why it is no event."""

    async def put(jetstream: JetStreamContext) -> None:
        name = nats_backend.section["stream"]
        await jetstream.add_stream(name=name, subjects=[name])
        await jetstream.publish(name, b"\xff")

    nats.run(put)
    received = next(receive(nats_backend.section, None))
    assert received is not None
    assert (received.body, received.problem, received.id) == (b"\xff", "not JSON", None)
    assert received.origin.endswith(", sequence 1")


def test_given_headers_come_back(nats_backend: Backend) -> None:
    """Whatever their names are."""
    given = {"ż ó:": "龜", "100%": "y", "Case": "z"}
    publish(nats_backend.section, {}, headers=given)
    received = next(receive(nats_backend.section, None))
    assert received is not None
    assert {name: received.headers[name] for name in given} == given
