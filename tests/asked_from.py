"""A client of an ASGI application that asks from an address and under a name that tests choose."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

HERE = ("127.0.0.1", "http://127.0.0.1:8090")
AWAY = ("192.0.2.7", "http://page.example")


def asked_from(app: ASGIApp, place: tuple[str, str] = HERE, **options: Any) -> TestClient:
    """Return a client; the test client of older Starlettes has always the same address.

    Parameters:
        app: is asked.
        place: the address of who asks, and the URL that is asked.
        options: as for `TestClient`.
    """
    address, url = place

    async def placed(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "client": (address, 50_000)}, receive, send)

    return TestClient(placed, base_url=url, **options)
