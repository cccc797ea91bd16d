"""The test servers keep their promises: they come back with their data and leave nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeAlias

import pika
import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer
from nats.js import JetStreamContext

from servers import (
    HttpServer,
    Kafka,
    MariaDB,
    MissingServer,
    Nats,
    PostgreSQL,
    RabbitMQ,
    Redis,
    ServerFailed,
    ServerProcess,
    free_port,
)
from servers.fixtures import started
from waiting import wait_until

AnyServer: TypeAlias = HttpServer | RabbitMQ | Kafka | PostgreSQL | MariaDB | Redis | Nats
CLASSES: dict[str, type[AnyServer]] = {
    "rabbitmq": RabbitMQ,
    "kafka": Kafka,
    "postgresql": PostgreSQL,
    "mariadb": MariaDB,
    "redis": Redis,
    "nats": Nats,
    "http": HttpServer,
}
EVERY_SERVER = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in CLASSES]
QUICK_SERVERS = EVERY_SERVER[2:]
TOPIC = "remembered"

# A program that owns a server and waits; the test reads what it started and ends it.
OWNER = """
import select
import sys
sys.path.insert(0, sys.argv[1])
import servers
server = getattr(servers, sys.argv[2])()
server.start()
print(server.supervisor_id, server.folder, flush=True)
# With a timeout: a signal in the instant before read() blocks would be seen only after it.
while not select.select([sys.stdin], [], [], 0.1)[0]:
    pass
"""


def remember(server: AnyServer, text: str) -> None:
    """Store a text in the server by its plain client, confirmed."""
    match server:
        case RabbitMQ():
            with closing(server.connection()) as connection:
                channel = connection.channel()
                channel.queue_declare(TOPIC, durable=True)
                channel.queue_purge(TOPIC)
                channel.confirm_delivery()
                channel.basic_publish("", TOPIC, text, pika.BasicProperties(delivery_mode=2))
        case Kafka():
            with closing(KafkaProducer(bootstrap_servers=server.bootstrap())) as producer:
                producer.send(TOPIC, text.encode()).get(timeout=20)
        case PostgreSQL() | MariaDB():
            server.query(f"DROP TABLE IF EXISTS {TOPIC}")
            server.query(f"CREATE TABLE {TOPIC} (text VARCHAR(100))")
            server.query(f"INSERT INTO {TOPIC} VALUES ('{text}')")
        case Redis():
            with server.connection() as client:
                client.set(TOPIC, text)
        case Nats():
            server.run(lambda jetstream: store(jetstream, text))
        case HttpServer():
            server.put(TOPIC, text)


def recall(server: AnyServer) -> str:
    """Read the text that was stored last, in a connection of its own."""
    match server:
        case RabbitMQ():
            with closing(server.connection()) as connection:
                _, _, body = connection.channel().basic_get(TOPIC)
                return bytes(body).decode()
        case Kafka():
            consumer = KafkaConsumer(
                TOPIC,
                bootstrap_servers=server.bootstrap(),
                auto_offset_reset="earliest",
                consumer_timeout_ms=20_000,
            )
            with closing(consumer):
                (end,) = consumer.end_offsets(wait_until(lambda: partitions(consumer))).values()
                return next(
                    bytes(message.value).decode()
                    for message in consumer
                    if message.offset == end - 1
                )
        case PostgreSQL() | MariaDB():
            ((text,),) = server.query(f"SELECT text FROM {TOPIC}")
            return str(text)
        case Redis():
            with server.connection() as client:
                return str(client.get(TOPIC))
        case Nats():
            last = server.run(lambda jetstream: jetstream.get_last_msg(TOPIC, TOPIC))
            return (last.data or b"").decode()
        case HttpServer():
            server.ask()  # what it has kept stands in a file
            return str(server.arrived(TOPIC)[-1]["body"])


async def store(jetstream: JetStreamContext, text: str) -> None:
    """Store a text in a stream of NATS, confirmed."""
    await jetstream.add_stream(name=TOPIC, subjects=[TOPIC])
    await jetstream.publish(TOPIC, text.encode())


class Owner:
    """A Python process of its own that has started a server."""

    def __init__(self, server: type[ServerProcess]) -> None:
        tests = Path(__file__).parents[1]
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(tests), server.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        supervisor_id, folder = self.process.stdout.readline().split()
        self.folder = Path(folder)
        self.servers_processes = processes_of(int(supervisor_id))


@contextmanager
def owner_of(server: type[ServerProcess]) -> Iterator[Owner]:
    """Start a server in a Python process of its own."""
    if reason := server.missing():
        pytest.skip(reason)
    owner = Owner(server)
    with owner.process:
        try:
            yield owner
        finally:
            owner.process.kill()


def assert_nothing_is_left_after(owner: Owner, number: signal.Signals) -> None:
    """End the owner by a signal and wait until its server is gone."""
    assert len(owner.servers_processes) > 1
    assert owner.folder.exists()

    owner.process.send_signal(number)
    owner.process.wait(10)

    wait_until(lambda: not any(alive(process) for process in owner.servers_processes))
    assert not owner.folder.exists()


def processes_of(supervisor_id: int) -> list[psutil.Process]:
    """The supervisor, first, and all processes of its server."""
    supervisor = psutil.Process(supervisor_id)
    return [supervisor, *supervisor.children(recursive=True)]


def alive(process: psutil.Process) -> bool:
    """Whether the process still runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def partitions(consumer: KafkaConsumer) -> list[object]:
    """The partitions the consumer reads, once it has asked for them."""
    consumer.poll(timeout_ms=100, update_offsets=False)
    return list(consumer.assignment())


@pytest.fixture
def server(request: pytest.FixtureRequest) -> AnyServer:
    """The server of this name, healthy before and after the test."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, AnyServer)
    return found


@pytest.mark.parametrize("server", EVERY_SERVER, indirect=True)
def test_kill_and_restart_keep_port_and_data(server: AnyServer) -> None:
    """After kill -9 nobody listens; the restarted server has its old ports and its data."""
    remember(server, "before the kill")
    ports = server.ports
    processes = processes_of(server.supervisor_id)[1:]

    server.kill()

    assert not server.running
    assert not any(alive(process) for process in processes)
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, port), timeout=5)
    server.restart()
    assert server.ports == ports
    assert recall(server) == "before the kill"


@pytest.mark.parametrize("server", EVERY_SERVER, indirect=True)
def test_a_paused_server_answers_only_after_resume(server: AnyServer) -> None:
    """While paused the server neither refuses nor answers; after resume it answers."""
    remember(server, "before the pause")

    with ThreadPoolExecutor(1) as pool:
        server.pause()
        try:
            answer = pool.submit(recall, server)
            with pytest.raises(TimeoutError):
                answer.result(timeout=0.5)
        finally:
            server.resume()
        assert answer.result(timeout=30) == "before the pause"


@pytest.mark.parametrize("name", QUICK_SERVERS)
def test_the_fixture_hands_out_a_healthy_server(name: str, request: pytest.FixtureRequest) -> None:
    """A server that was left paused and one that was left dead serve again after recover()."""
    server = request.getfixturevalue(name)
    remember(server, "kept")

    server.pause()
    server.recover()
    assert recall(server) == "kept"
    server.terminate()
    assert not server.running
    server.recover()
    assert recall(server) == "kept"


@pytest.mark.parametrize("name", QUICK_SERVERS)
def test_stop_leaves_nothing(name: str) -> None:
    """After stop() no process and no folder of the server is left."""
    with started(CLASSES[name]()) as server:
        folder, processes = server.folder, processes_of(server.supervisor_id)
        assert len(processes) > 1

    assert not folder.exists()
    assert not any(alive(process) for process in processes)


@pytest.mark.parametrize("name", EVERY_SERVER)
def test_nothing_is_left_when_the_owner_is_killed(name: str) -> None:
    """The server and its folder go when the Python process that started it is killed with -9."""
    with owner_of(CLASSES[name]) as owner:
        assert_nothing_is_left_after(owner, signal.SIGKILL)


@pytest.mark.xdist_group("postgresql")
def test_nothing_is_left_after_ctrl_c() -> None:
    """The server and its folder go when its owner is interrupted and does not clean up."""
    with owner_of(PostgreSQL) as owner:
        assert_nothing_is_left_after(owner, signal.SIGINT)


@pytest.mark.xdist_group("postgresql")
def test_a_server_that_ends_early_says_why() -> None:
    """start() raises with the tail of the server's own log, and leaves no folder."""
    server = PostgreSQL()
    if reason := server.missing():
        pytest.skip(reason)
    with socket.socket() as occupant:
        occupant.bind((server.host, server.port))
        with pytest.raises(ServerFailed, match="Address already in use"):
            server.start()
    assert not server.folder.exists()


@pytest.mark.xdist_group("postgresql")
def test_a_wrong_password_is_refused(postgresql: PostgreSQL) -> None:
    """PostgreSQL really asks for the password."""
    psycopg = pytest.importorskip("psycopg")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgresql.url.replace(postgresql.password, "wrong"))


@pytest.mark.xdist_group("mariadb")
def test_mariadb_refuses_a_wrong_password_and_an_unknown_user(mariadb: MariaDB) -> None:
    """MariaDB really asks for the password, and knows no anonymous user."""
    pymysql = pytest.importorskip("pymysql")
    for user, password in ((mariadb.username, "wrong"), ("nobody", "")):
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            pymysql.connect(host=mariadb.host, port=mariadb.port, user=user, password=password)


@pytest.mark.xdist_group("rabbitmq")
def test_control_reaches_the_private_node(rabbitmq: RabbitMQ) -> None:
    """rabbitmqctl talks to this node, which has both users."""
    users = {line.split("\t")[0] for line in rabbitmq.control("list_users").splitlines()}
    assert {"guest", rabbitmq.username} <= users


@pytest.mark.xdist_group("kafka")
@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [
        ("SSL", None),
        ("SASL_PLAINTEXT", "PLAIN"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-512"),
        ("SASL_SSL", "SCRAM-SHA-256"),
    ],
)
def test_every_kafka_listener_serves(kafka: Kafka, protocol: str, mechanism: str | None) -> None:
    """Each listener confirms an event to a client with the right credentials."""
    options: dict[str, object] = {"security_protocol": protocol}
    if protocol.endswith("SSL"):
        options["ssl_cafile"] = str(kafka.certificates.ca)
    if protocol == "SSL":
        options["ssl_certfile"] = str(kafka.certificates.client_certificate)
        options["ssl_keyfile"] = str(kafka.certificates.client_key)
    if mechanism:
        plain = mechanism == "PLAIN"
        options["sasl_mechanism"] = mechanism
        options["sasl_plain_username"] = kafka.username if plain else kafka.scram_username
        options["sasl_plain_password"] = kafka.password if plain else kafka.scram_password

    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap(protocol), **options)
    with closing(producer):
        assert producer.send("listeners", b"event").get(timeout=20).offset >= 0


def test_a_missing_server_skips_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where a server is not installed its tests are skipped, with CI=true they fail."""
    monkeypatch.setenv("EVENT_BROKERS_KAFKA_LIBS", str(tmp_path))
    with pytest.raises(MissingServer, match="install"):
        Kafka().start()
    monkeypatch.delenv("WITHOUT_SERVERS", raising=False)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="install"), started(Kafka()):
        pass
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="install"), started(Kafka()):
        pass


def test_where_no_server_is_wanted_none_starts_and_none_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With WITHOUT_SERVERS=true the tests of every server are skipped, in CI too."""
    monkeypatch.setenv("WITHOUT_SERVERS", "true")
    monkeypatch.setenv("CI", "true")
    for reason in ("install it", None):
        monkeypatch.setattr(Kafka, "missing", lambda _self, reason=reason: reason)
        with pytest.raises(pytest.skip.Exception), started(Kafka()):
            pass


def test_free_ports_differ_and_are_not_those_of_outgoing_connections() -> None:
    """No port is handed out twice, none can be taken by an outgoing connection."""
    ports = [free_port() for _ in range(50)]
    lowest, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert len(set(ports)) == 50
    assert max(ports) < int(lowest)


@pytest.mark.xdist_group("postgresql")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_stop_does_not_wait_for_processes_forked_from_the_owner() -> None:
    """A forked process holds copies of the owner's pipes; stop() ends the server all the same."""
    with started(PostgreSQL()) as server:
        folder = server.folder
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
    try:
        assert not folder.exists()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
