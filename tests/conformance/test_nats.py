"""`type: nats`, the example, holds the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from event_brokers.testing import Arrived, Conformance
from event_brokers.testing.certificates import Certificate
from servers import Nats


@pytest.mark.xdist_group("nats")
class TestNats(Conformance):
    """A stream."""

    type = "nats"
    stores_once = True

    @pytest.fixture(autouse=True)
    def broker(self, nats: Nats) -> Iterator[None]:
        """Take the server, and leave no stream behind."""
        self.server = nats
        with ExitStack() as self._others:
            yield
        nats.recover()
        nats.run(self._delete)

    def options(self) -> Mapping[str, Any]:
        """Return a stream of the test's own."""
        return self.at(self.server.port)

    def arrived(self) -> list[Arrived]:
        """Read the stream from its beginning, with a consumer that acknowledges nothing."""
        return self.server.run(self._read)

    def break_server(self) -> None:
        """Kill the server."""
        self.server.kill()

    def mend_server(self) -> None:
        """Start the server."""
        self.server.restart()

    def server_port(self) -> int:
        """Return the server's port."""
        return self.server.port

    def at(self, port: int) -> Mapping[str, Any]:
        """Return the options for another port."""
        return {
            "url": f"{self.server.host}:{port}", "username": self.server.username,
            "password": self.server.password, "stream": self.name, "subject": self.name,
        }  # fmt: skip

    def refused_event(self) -> Mapping[str, Any]:
        """Return an event that is larger than the server takes."""
        return {"text": "x" * self.server.max_payload}

    def with_password(self, password: str) -> Mapping[str, Any]:
        """Return the options with another password."""
        return {**self.options(), "password": password}

    def over_tls(self, port: int, authority: str) -> Mapping[str, Any]:
        """Return the options with TLS."""
        return {**self.at(port), "tls": True, "ssl_cafile": authority}

    def present(self, certificate: Certificate) -> int:
        """Start a second server with the certificate: NATS begins in plain text."""
        return self._others.enter_context(Nats(certificate.certificate, certificate.key)).port

    def place_exists(self) -> bool:
        """Return whether the stream is there."""

        async def find(jetstream: JetStreamContext) -> bool:
            try:
                await jetstream.stream_info(self.name)
            except NotFoundError:
                return False
            return True

        return self.server.run(find)

    def put(self, body: bytes) -> None:
        """Publish with a plain client."""
        self.subject.connect(self.options()).end()
        self.server.run(lambda jetstream: jetstream.publish(self.name, body))

    async def _read(self, jetstream: JetStreamContext) -> list[Arrived]:
        count = (await jetstream.stream_info(self.name)).state.messages
        config = ConsumerConfig(ack_policy=AckPolicy.NONE)
        subscription = await jetstream.pull_subscribe(self.name, stream=self.name, config=config)
        arrived: list[Arrived] = []
        while len(arrived) < count:
            for message in await subscription.fetch(500):
                headers = message.headers or {}
                arrived.append(Arrived(message.data, headers.get("Nats-Msg-Id"), headers))
        return arrived

    async def _delete(self, jetstream: JetStreamContext) -> None:
        try:
            await jetstream.delete_stream(self.name)
        except NotFoundError:
            return
