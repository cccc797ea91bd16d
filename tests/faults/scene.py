"""What a fault finds when it strikes: a broker, the way to it, and a stream under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from event_brokers.testing.proxy import Proxy
from faults.stream import Stream
from servers import ServerProcess
from servers.backends import Arrived, Backend

_Server = TypeVar("_Server", bound=ServerProcess)


@dataclass
class Scene:
    """One broker, and the stream that goes to it.

    Attributes:
        backend: the broker.
        folder: for files of this test alone.
        section: what the stream's broker is made of; a fault that is there first may change it.
        proxy: in front of the server; None where the broker is a file.
        stream: what publishes; None until a fault that is there from the start has struck.
        rescued: what had arrived before a person threw it away.
    """

    backend: Backend
    folder: Path
    section: dict[str, Any]
    proxy: Proxy | None = None
    stream: Stream | None = None
    rescued: list[Arrived] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The queue, topic or table."""
        section = self.backend.section
        found: str = section.get("queue") or section.get("topic") or section.get("table", "events")
        return found

    @property
    def running(self) -> Stream:
        """The stream, which has begun."""
        assert self.stream is not None
        return self.stream

    @property
    def network(self) -> Proxy:
        """The proxy, which is there."""
        assert self.proxy is not None
        return self.proxy

    @property
    def process(self) -> ServerProcess:
        """The server, which is one."""
        assert self.backend.server is not None
        return self.backend.server

    def server(self, kind: type[_Server]) -> _Server:
        """Return the server, which is of this kind."""
        assert isinstance(self.backend.server, kind)
        return self.backend.server

    def rescue(self) -> None:
        """Read what has arrived before it is thrown away."""
        self.rescued += self.backend.read()

    def arrived(self) -> list[Arrived]:
        """Return everything that has arrived, in order, read with the plain client."""
        return [*self.rescued, *self.backend.read()]
