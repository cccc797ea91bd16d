"""The proxy does to a connection what it is told, and to no other."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka import KafkaAdminClient

from event_brokers.testing.proxy import HOST, Proxy
from servers import Kafka
from waiting import wait_until

SHORT_SECONDS = 0.3


def echo(listener: socket.socket) -> None:
    """Send back what comes, on every connection, until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=echo_connection, args=(connection,), daemon=True).start()


def echo_connection(connection: socket.socket) -> None:
    """Send back what comes, until the connection ends in whatever way."""
    with connection:
        try:
            while data := connection.recv(65_536):
                connection.sendall(data)
        except OSError:
            return


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Return a proxy in front of a server that sends back what comes."""
    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=echo, args=(listener,))
        thread.start()
        with Proxy(listener.getsockname()[1]) as opened:
            yield opened
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """Return a connection through the proxy that has carried something."""
    with closing(connected(proxy)) as connection:
        assert exchange(connection, b"first") == b"first"
        yield connection


def connected(proxy: Proxy) -> socket.socket:
    """Return a new connection through the proxy."""
    return socket.create_connection((HOST, proxy.port), timeout=10)


def exchange(connection: socket.socket, data: bytes) -> bytes:
    """Send and return as much of the answer as was sent."""
    connection.sendall(data)
    answer = b""
    while len(answer) < len(data):
        piece = connection.recv(65_536)
        assert piece, "the connection has ended"
        answer += piece
    return answer


def answers_nothing(connection: socket.socket) -> bool:
    """Return whether something sent is neither answered nor refused."""
    connection.settimeout(SHORT_SECONDS)
    connection.sendall(b"anybody?")
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    return False


def test_everything_is_carried_both_ways(client: socket.socket, proxy: Proxy) -> None:
    """A million bytes come back as they were, and the end of one side reaches the other."""
    sent = bytes(range(256)) * 4096
    threading.Thread(target=client.sendall, args=(sent,), daemon=True).start()
    answer = b""
    while len(answer) < len(sent):
        answer += client.recv(65_536)
    assert answer == sent
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    wait_until(lambda: not proxy.connections)


def test_silence_closes_nothing_and_answers_nothing(client: socket.socket, proxy: Proxy) -> None:
    """Old connections stay silent when it is over; new ones are served, those that waited too."""
    proxy.silence()
    with closing(connected(proxy)) as waiting:
        assert answers_nothing(client)
        assert answers_nothing(waiting)
        proxy.speak()
        waiting.settimeout(10)
        assert waiting.recv(8) == b"anybody?"
    assert answers_nothing(client)


def test_a_reset_is_a_reset_and_no_goodbye(client: socket.socket, proxy: Proxy) -> None:
    """The client sees ECONNRESET, and may connect again at once."""
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with closing(connected(proxy)) as again:
        assert exchange(again, b"again") == b"again"


def test_a_slow_link_carries_everything_in_pieces(client: socket.socket, proxy: Proxy) -> None:
    """What one read could take arrives bit by bit, and whole."""
    proxy.limit(20_000)
    client.sendall(bytes(5000))
    pieces = [client.recv(65_536)]
    while sum(map(len, pieces)) < 5000:
        pieces.append(client.recv(65_536))
    assert max(map(len, pieces)) <= 1000
    proxy.limit(None)
    assert exchange(client, b"fast") == b"fast"


def test_a_cut_comes_once_and_amid_what_is_sent(client: socket.socket, proxy: Proxy) -> None:
    """The connection ends after the bytes that were asked for; the next one is not cut."""
    proxy.cut_after(10)
    assert exchange(client, b"12345") == b"12345"
    assert not proxy.has_cut
    client.sendall(b"67890")
    wait_until(lambda: proxy.has_cut)
    with pytest.raises(ConnectionResetError):
        exchange(client, b"too late")
    with closing(connected(proxy)) as again:
        assert exchange(again, bytes(100)) == bytes(100)


def test_a_server_that_is_down_resets_the_client() -> None:
    """Whoever connects through the proxy to nobody learns it."""
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    # the reset may come before the client has noticed that it was connected
    with (
        Proxy(port) as proxy,
        pytest.raises(ConnectionResetError),
        closing(connected(proxy)) as client,
    ):
        client.recv(1)


@pytest.mark.xdist_group("kafka")
def test_clients_of_kafka_stay_behind_the_proxy(kafka: Kafka) -> None:
    """The listener that is meant for a proxy names no other address than the proxy's."""
    with Proxy(kafka.port_behind_proxy, kafka.proxy_port) as proxy:
        address = f"{HOST}:{proxy.port}"
        with closing(KafkaAdminClient(bootstrap_servers=address)) as client:
            brokers = client.describe_cluster()["brokers"]
    assert [(broker["host"], broker["port"]) for broker in brokers] == [(HOST, proxy.port)]
