"""Every broker type behind one face: its section of endpoints.yml, and a plain client to read.

One module for each client. What a module lists in `BACKENDS` is tried by all the tests that are the
same for every broker; nothing else needs to know of the module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from servers import ServerProcess

# pytest finds the fixtures of each, and explains what an assert in it saw
pytest_plugins = [f"{__name__}.{path.stem}" for path in Path(__file__).parent.glob("[!_]*.py")]
pytest.register_assert_rewrite(*pytest_plugins)


@dataclass(frozen=True)
class Arrived:
    """An event as the plain client of a broker shows it."""

    body: bytes
    event_id: str
    sender_id: str | None
    type: str | None


@dataclass(frozen=True)
class Backend:
    """One broker type.

    Attributes:
        section: what stands under `event_broker` in endpoints.yml.
        read: returns what has arrived so far, in order, read with the plain client alone.
        server: the server behind it; None for a file.
        address: the options that name a port of the server.
        is_endpoint: whether it only takes events: nothing is made there, nothing read back.
    """

    section: dict[str, Any]
    read: Callable[[], list[Arrived]]
    server: ServerProcess | None
    address: Callable[[int], dict[str, Any]] = lambda port: {"port": port}
    is_endpoint: bool = False

    def at(self, port: int) -> dict[str, Any]:
        """Return the section for another port of the same server."""
        return {**self.section, **self.address(port)}


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return a name for the queue, topic or table of one test alone."""
    return f"events_{abs(hash(request.node.nodeid)) % 10**12}"


def _every() -> Iterator[Any]:
    for module in sorted(pytest_plugins):
        yield from import_module(module).BACKENDS


@pytest.fixture(params=_every())
def backend(request: pytest.FixtureRequest) -> Backend:
    """Return each broker type in turn."""
    found: Backend = request.getfixturevalue(request.param)
    return found
