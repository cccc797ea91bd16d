"""Pytest fixtures: each server starts at its first use, once per run, and is stopped at the end.

`rabbitmq`, `kafka`, `postgresql`, `mariadb`, `redis`, `nats` and `http` hand a running server
to one test and make it run again afterwards, so that a test may kill, pause or terminate it. The
fixtures that end in `_server` live as long as the session. The tests of one server belong in one
xdist group, so that it is started once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from . import (
    Certificates,
    HttpServer,
    Kafka,
    KafkaWithTokens,
    MariaDB,
    Nats,
    PostgreSQL,
    RabbitMQ,
    Redis,
    ServerProcess,
    TokenServer,
)

Server = TypeVar("Server", bound=ServerProcess)


@contextmanager
def started(server: Server) -> Iterator[Server]:
    """Run the server; where it is not installed, skip the test, or fail it when CI is `true`.

    When WITHOUT_SERVERS is `true`, no server is wanted, and none is missed.
    """
    unwanted = os.environ.get("WITHOUT_SERVERS") == "true"
    if reason := server.missing():
        if os.environ.get("CI") == "true" and not unwanted:
            pytest.fail(reason)
        pytest.skip(reason)
    if unwanted:
        pytest.skip("WITHOUT_SERVERS is true")
    with server:
        yield server


@contextmanager
def healthy(server: Server) -> Iterator[Server]:
    """Hand out the server running, and make it run again afterwards."""
    server.recover()
    try:
        yield server
    finally:
        server.recover()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The certificates of the servers and their clients."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def rabbitmq_server(certificates: Certificates) -> Iterator[RabbitMQ]:
    """RabbitMQ for the whole session."""
    with started(RabbitMQ(certificates)) as server:
        yield server


@pytest.fixture(scope="session")
def kafka_server(certificates: Certificates) -> Iterator[Kafka]:
    """Kafka for the whole session."""
    with started(Kafka(certificates)) as server:
        yield server


@pytest.fixture(scope="session")
def kafka_without_automatic_topics(certificates: Certificates) -> Iterator[Kafka]:
    """A second Kafka for the whole session, in which topics do not appear by themselves."""
    with started(Kafka(certificates, automatic_topics=False)) as server:
        yield server


@pytest.fixture(scope="session")
def kafka_with_tokens(
    certificates: Certificates,
) -> Iterator[tuple[KafkaWithTokens, TokenServer]]:
    """A Kafka for the whole session that takes tokens, and the server that gives them."""
    with (
        TokenServer(certificates) as tokens,
        started(KafkaWithTokens(certificates, tokens)) as server,
    ):
        yield server, tokens


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """PostgreSQL for the whole session."""
    with started(PostgreSQL()) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDB]:
    """MariaDB for the whole session."""
    with started(MariaDB()) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_over_tls(certificates: Certificates) -> Iterator[PostgreSQL]:
    """A second PostgreSQL for the whole session, with TLS."""
    with started(PostgreSQL(certificates)) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_over_tls(certificates: Certificates) -> Iterator[MariaDB]:
    """A second MariaDB for the whole session, with TLS."""
    with started(MariaDB(certificates)) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(certificates: Certificates) -> Iterator[Redis]:
    """Redis for the whole session."""
    with started(Redis(certificates)) as server:
        yield server


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Nats]:
    """NATS for the whole session."""
    with started(Nats()) as server:
        yield server


@pytest.fixture(scope="session")
def nats_over_tls(certificates: Certificates) -> Iterator[Nats]:
    """A second NATS for the whole session, with TLS."""
    with started(Nats(certificates.server_certificate, certificates.server_key)) as server:
        yield server


@pytest.fixture(scope="session")
def http_server(certificates: Certificates) -> Iterator[HttpServer]:
    """An HTTP server for the whole session."""
    with started(HttpServer(certificates)) as server:
        yield server


@pytest.fixture
def http(http_server: HttpServer) -> Iterator[HttpServer]:
    """A running HTTP server, which the test may kill."""
    with healthy(http_server) as server:
        server.behave()
        yield server


@pytest.fixture
def rabbitmq(rabbitmq_server: RabbitMQ) -> Iterator[RabbitMQ]:
    """A running RabbitMQ, which the test may kill."""
    with healthy(rabbitmq_server) as server:
        yield server


@pytest.fixture
def kafka(kafka_server: Kafka) -> Iterator[Kafka]:
    """A running Kafka, which the test may kill."""
    with healthy(kafka_server) as server:
        yield server


@pytest.fixture
def postgresql(postgresql_server: PostgreSQL) -> Iterator[PostgreSQL]:
    """A running PostgreSQL, which the test may kill."""
    with healthy(postgresql_server) as server:
        yield server


@pytest.fixture
def mariadb(mariadb_server: MariaDB) -> Iterator[MariaDB]:
    """A running MariaDB, which the test may kill."""
    with healthy(mariadb_server) as server:
        yield server


@pytest.fixture
def redis(redis_server: Redis) -> Iterator[Redis]:
    """A running Redis, which the test may kill."""
    with healthy(redis_server) as server:
        yield server


@pytest.fixture
def nats(nats_server: Nats) -> Iterator[Nats]:
    """A running NATS, which the test may kill."""
    with healthy(nats_server) as server:
        yield server
