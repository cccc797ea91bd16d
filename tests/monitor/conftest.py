"""The browser, and the page served by a thread of the test's own process."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from event_brokers.cli import listening
from event_brokers_monitor import application
from waiting import wait_until

MISSING = "Chromium is not installed; apt-get install chromium"
PATIENCE = 20_000.0  # milliseconds that a sentence may take to be shown
expect.set_options(timeout=PATIENCE)


# a module's, not a session's: while it runs, no other test of this thread can run an event loop
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Return Chromium; where it is not installed, skip or fail as where a server is missing."""
    unwanted = os.environ.get("WITHOUT_SERVERS") == "true"
    program = shutil.which("chromium")
    if program is None and os.environ.get("CI") == "true" and not unwanted:
        pytest.fail(MISSING)
    if program is None or unwanted:
        pytest.skip("WITHOUT_SERVERS is true" if unwanted else MISSING)
    # root has no namespaces of its own to put it into
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[*arguments, "--enable-precise-memory-info"]
        )
        yield browser
        browser.close()


@pytest.fixture
def is_whole_page(request: pytest.FixtureRequest) -> bool:
    """Return whether this run takes the time for all of it."""
    return bool(request.config.getoption("--whole-page"))


def is_wrong(said: Any) -> bool:
    """Return whether a line of the console is a complaint, but for an answer that a test wants."""
    return said.type in ("error", "warning") and "Failed to load resource" not in said.text


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an application on a free port, and hand out its address without a slash at the end."""
    with listening.listen("127.0.0.1", 0) as listener:
        config = uvicorn.Config(
            app, lifespan="on", ws="none", log_config=None, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started)
            yield listening.url(listener)
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture
def serve(alone: None) -> Iterator[Callable[..., str]]:  # noqa: ARG001 - other tests' brokers
    """Return what serves the page until the end of the test, given what `application` is given."""
    with ExitStack() as stack:

        def start(*spools: Any, **options: Any) -> str:
            served: AbstractContextManager[str] = serving(application(spools, **options))
            return stack.enter_context(served)

        yield start


@pytest.fixture(params=["light"])
def page(
    chromium: Browser,
    serve: Callable[..., str],  # noqa: ARG001 - a page is closed before its server
    request: pytest.FixtureRequest,
) -> Iterator[Page]:
    """Return an empty page in one colour scheme; what goes wrong in it fails the test."""
    context = chromium.new_context(
        color_scheme=request.param, viewport={"width": 1200, "height": 900}
    )
    context.set_default_timeout(PATIENCE)
    opened, wrong = context.new_page(), list[str]()
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if is_wrong(said) else None)
    yield opened
    context.close()
    assert wrong == []
