"""`event-brokers doctor` counts the days of the certificate that a server shows, of every type."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from command import Commands
from servers import Certificates, HttpServer, Kafka, MariaDB, Nats, PostgreSQL, RabbitMQ, Redis

DAYS = re.compile(r"the certificate of '(localhost|127.0.0.1)(:\d+)?' is valid for \d+ days")


def of_rabbitmq(server: RabbitMQ) -> dict[str, Any]:
    """Return a section for the listener with TLS."""
    return {"type": "pika", "url": server.tls_url, "queue": "q"}


def of_kafka(server: Kafka) -> dict[str, Any]:
    """Return a section for the listener with TLS, which wants a client's certificate, too."""
    files = server.certificates
    return {
        "type": "kafka", "topic": "t", "url": server.bootstrap("SSL"), "security_protocol": "SSL",
        "ssl_certfile": str(files.client_certificate), "ssl_keyfile": str(files.client_key),
    }  # fmt: skip


def of_librdkafka(server: Kafka) -> dict[str, Any]:
    """Return the same for the other client, whose TLS is not Python's."""
    return {**of_kafka(server), "client": "librdkafka"}


def of_database(server: PostgreSQL | MariaDB) -> dict[str, Any]:
    """Return a section for a server with TLS; libpq's is not Python's."""
    return {
        "type": "sql", "dialect": server.name, "url": "localhost", "port": server.port,
        "db": server.db, "username": server.username, "password": server.password,
    }  # fmt: skip


def of_redis(server: Redis) -> dict[str, Any]:
    """Return a section for the port with TLS."""
    return {
        "type": "redis", "url": f"localhost:{server.tls_port}", "tls": True, "stream": "s",
        "username": server.username, "password": server.password,
    }  # fmt: skip


def of_nats(server: Nats) -> dict[str, Any]:
    """Return a section for a server with TLS."""
    return {
        "type": "nats", "url": f"localhost:{server.port}", "tls": True,
        "username": server.username, "password": server.password,
    }  # fmt: skip


def of_http(server: HttpServer) -> dict[str, Any]:
    """Return a section for the port with TLS."""
    return {
        "type": "http", "url": f"https://localhost:{server.tls_port}/events/x",
        "username": server.username, "password": server.password,
    }  # fmt: skip


SECTIONS = [
    pytest.param(fixture, section, id=name, marks=pytest.mark.xdist_group(group))
    for name, group, fixture, section in (
        ("rabbitmq", "rabbitmq", "rabbitmq", of_rabbitmq),
        ("kafka", "kafka", "kafka", of_kafka),
        ("librdkafka", "kafka", "kafka", of_librdkafka),
        ("postgresql", "postgresql", "postgresql_over_tls", of_database),
        ("mariadb", "mariadb", "mariadb_over_tls", of_database),
        ("redis", "redis", "redis", of_redis),
        ("nats", "nats", "nats_over_tls", of_nats),
        ("http", "http", "http", of_http),
    )
]


@pytest.mark.parametrize(("fixture", "section"), SECTIONS)
def test_the_days_of_the_server_s_certificate_are_counted(
    fixture: str,
    section: Callable[[Any], dict[str, Any]],
    commands: Commands,
    certificates: Certificates,
    request: pytest.FixtureRequest,
) -> None:
    """As the server shows it while it is asked, whoever speaks TLS: Python or a client's own C."""
    server = request.getfixturevalue(fixture)
    commands.broker({**section(server), "ssl_cafile": str(certificates.ca)})
    found = commands.run("doctor", "--json").document["findings"]
    assert [each["text"] for each in found if each["subject"] == "broker"]
    assert all(each["verdict"] == "ok" for each in found if each["subject"] == "broker"), found
    told = [each["text"] for each in found if each["subject"] == "tls"]
    assert any(text.startswith(f"ssl_cafile: '{certificates.ca}' is valid for ") for text in told)
    assert any(DAYS.fullmatch(text) for text in told), told
