"""An HTTP server that keeps what arrives."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest

from servers import HttpServer
from servers.backends import Arrived, Backend

BACKENDS = (pytest.param("http_backend", id="http", marks=pytest.mark.xdist_group("http")),)


@pytest.fixture
def http_backend(http: HttpServer, name: str) -> Backend:
    """Return a path of the server."""
    section = {
        "type": "http", "url": http.url(name), "username": http.username, "password": http.password,
    }  # fmt: skip
    return Backend(
        section,
        lambda: [_request(each) for each in http.arrived(name)],
        http,
        lambda port: {"url": http.url(name, port)},
        is_endpoint=True,
    )


def _request(kept: dict[str, Any]) -> Arrived:
    headers, body = kept["headers"], kept["body"]
    return Arrived(
        body.encode(),
        unquote(headers["idempotency-key"]),
        json.loads(body).get("sender_id"),
        headers.get("event-type"),
    )
