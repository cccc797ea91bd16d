"""Who signs in, or whom we trust, is not who it was, until a person puts it right."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from faults.scene import Scene
from servers import HttpServer, Kafka, MariaDB, Nats, PostgreSQL, RabbitMQ, Redis


@contextmanager
def wrong_password(scene: Scene) -> Iterator[None]:
    """The server has another password, until somebody puts it right."""
    server = scene.process
    if isinstance(server, RabbitMQ):
        server.control("change_password", server.username, "another")
        yield
        server.control("change_password", server.username, server.password)
        return
    assert isinstance(server, (PostgreSQL, MariaDB))
    change = (
        "ALTER ROLE rasa PASSWORD '{}'"
        if isinstance(server, PostgreSQL)
        else "SET PASSWORD = PASSWORD('{}')"
    )
    with closing(server.connection()) as connection:
        cursor: Any = connection.cursor()
        cursor.execute(change.format("another"))
        try:
            yield
        finally:
            cursor.execute(change.format(server.password))


@contextmanager
def redis_wrong_password(scene: Scene) -> Iterator[None]:
    """The user has another password, until somebody puts it right."""
    server = scene.server(Redis)
    with server.connection() as client:
        change = ("ACL", "SETUSER", server.username, "resetpass")
        client.execute_command(*change, ">another")
        yield
        client.execute_command(*change, f">{server.password}")


@contextmanager
def nats_wrong_password(scene: Scene) -> Iterator[None]:
    """The user has another password, until somebody puts it right."""
    server = scene.server(Nats)
    server.change_password("another")
    yield
    server.change_password(server.password)


@contextmanager
def http_wrong_password(scene: Scene) -> Iterator[None]:
    """The user has another password, until somebody puts it right."""
    server = scene.server(HttpServer)
    server.behave(password="another")
    yield
    server.behave()


@contextmanager
def certificate_replaced(scene: Scene) -> Iterator[None]:
    """The file of trusted authorities is another one, until somebody replaces it."""
    server = scene.process
    assert isinstance(server, (RabbitMQ, Kafka, Redis, HttpServer))
    trusted = scene.folder / "ca.pem"
    shutil.copy(server.certificates.other_ca, trusted)
    yield
    shutil.copy(server.certificates.ca, trusted)


def over_tls(scene: Scene) -> dict[str, Any]:
    """Return the options that lead to the listener with TLS."""
    server = scene.process
    trusted = {"ssl_cafile": str(scene.folder / "ca.pem")}
    if isinstance(server, RabbitMQ):
        url = f"amqps://{server.username}:{server.password}@localhost:{server.tls_port}/"
        return {**trusted, "url": url, "port": None, "username": None, "password": None}
    if isinstance(server, Redis):
        return {**trusted, "url": f"localhost:{server.tls_port}", "tls": True}
    if isinstance(server, HttpServer):
        path = scene.backend.section["url"].rpartition("/")[2]
        return {**trusted, "url": f"https://localhost:{server.tls_port}/events/{path}"}
    assert isinstance(server, Kafka)
    return {
        **trusted, "url": server.bootstrap("SSL"), "security_protocol": "SSL",
        "ssl_certfile": str(server.certificates.client_certificate),
        "ssl_keyfile": str(server.certificates.client_key),
    }  # fmt: skip
