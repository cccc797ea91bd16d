"""A stream in NATS."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from servers import Nats
from servers.backends import Arrived, Backend

BACKENDS = (pytest.param("nats_backend", id="nats", marks=pytest.mark.xdist_group("nats")),)


@pytest.fixture
def nats_backend(nats: Nats, name: str) -> Iterator[Backend]:
    """Return a stream in NATS."""
    section = {
        "type": "nats", "url": f"{nats.host}:{nats.port}", "username": nats.username,
        "password": nats.password, "subject": name, "stream": name,
    }  # fmt: skip
    yield Backend(
        section,
        lambda: nats.run(lambda jetstream: _messages(jetstream, name)),
        nats,
        lambda port: {"url": f"127.0.0.1:{port}"},
    )
    nats.run(lambda jetstream: _delete(jetstream, name))


async def _messages(jetstream: JetStreamContext, stream: str) -> list[Arrived]:
    count = (await jetstream.stream_info(stream)).state.messages
    config = ConsumerConfig(ack_policy=AckPolicy.NONE)
    subscription = await jetstream.pull_subscribe(stream, stream=stream, config=config)
    arrived: list[Arrived] = []
    while len(arrived) < count:
        for message in await subscription.fetch(500):
            headers, body = message.headers or {}, json.loads(message.data)
            arrived.append(
                Arrived(
                    message.data,
                    headers["Nats-Msg-Id"],
                    body.get("sender_id"),
                    headers.get("event_type"),
                )
            )
    return arrived


async def _delete(jetstream: JetStreamContext, stream: str) -> None:
    try:
        await jetstream.delete_stream(stream)
    except NotFoundError:
        return  # the test has not come so far
