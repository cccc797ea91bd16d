"""A stream in Redis."""

from __future__ import annotations

import json
from typing import Any

import pytest

from servers import Redis
from servers.backends import Arrived, Backend

BACKENDS = (pytest.param("redis_backend", id="redis", marks=pytest.mark.xdist_group("redis")),)


@pytest.fixture
def redis_backend(redis: Redis, name: str) -> Backend:
    """Return a stream in Redis."""
    section = {
        "type": "redis", "url": f"{redis.host}:{redis.port}",
        "username": redis.username, "password": redis.password, "stream": name,
    }  # fmt: skip
    return Backend(
        section, lambda: _entries(redis, name), redis, lambda port: {"url": f"127.0.0.1:{port}"}
    )


def _entries(server: Redis, stream: str) -> list[Arrived]:
    with server.connection() as client:
        entries: Any = client.xrange(stream)
    return [_entry(fields) for _, fields in entries]


def _entry(fields: dict[str, str]) -> Arrived:
    headers = {name.removeprefix("header:"): text for name, text in fields.items()}
    body = fields["body"].encode()
    return Arrived(body, headers["event_id"], _sender(body), headers.get("event_type"))


def _sender(body: bytes) -> str | None:
    sender_id: str | None = json.loads(body).get("sender_id")
    return sender_id
