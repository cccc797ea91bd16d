"""Calls the hooks of a plugin, and knows which of them does not return."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from event_brokers import fork
from event_brokers.delays import Delays
from event_brokers.event import Event
from event_brokers.instrumentation import delivering
from event_brokers.measurements import Calls
from event_brokers.plugins import Plugin

_FORK_SECONDS = 1.0  # that a fork waits for a plugin that imports its client
_POLL_SECONDS = 0.001
_IMPORT = "<frozen importlib._bootstrap>"  # the file that frames of an import are of


class LeftBehind(BaseException):
    """This call took so long that another thread has taken the place of its own."""


class _Call:
    """One call of a hook that is under way."""

    def __init__(self, hook: str, longest: float) -> None:
        self.hook = hook
        self.longest = longest
        self.since = time.monotonic()
        self.is_told = False
        self._ending: deque[None] = deque([None])

    def end(self) -> bool:
        """End the call, from its own thread or from one that gives it up; true for the first."""
        try:
            self._ending.pop()
        except IndexError:
            return False
        return True


class HangingCall(msgspec.Struct, frozen=True):
    """A hook that has not returned for too long.

    Attributes:
        sentence: which hook, and for how long.
        is_closing: whether it only had to release a connection.
        is_news: whether nobody was told before.
    """

    sentence: str
    is_closing: bool
    is_news: bool


class PluginCalls:
    """Calls the hooks of one plugin, one at a time.

    Parameters:
        plugin: whose hooks they are.
        delays: how long they may take.

    Attributes:
        counted: how often they were called, and how they failed.
    """

    def __init__(self, plugin: Plugin, delays: Delays) -> None:
        self.counted = Calls()
        self._plugin = plugin
        self._delays = delays
        self._call: _Call | None = None
        self._is_connecting = False

    def connect(self, options: Any, used: set[str]) -> Any:
        """Return a connection.

        Parameters:
            options: of the plugin.
            used: places in which earlier connections had events confirmed; grows.

        Raises:
            PluginError: the hook returned None.
            Exception: what the hook raises.
        """
        # each says what it is about to do before it looks at the other: one of them waits
        self._is_connecting = True
        try:
            fork.wait_until_over()
            with self._under_way("connect", self._delays.hanging_call):
                connection = self._plugin.hook.connect(options=options, used=used)
                if connection is None:
                    raise self._plugin.error("hook 'connect' returned None, not a connection")
        finally:
            self._is_connecting = False
        self.counted.connections += 1
        return connection

    def publish(self, connection: Any, events: list[Event]) -> None:
        """Publish a batch; raises what the hook raises."""
        self.counted.batches.add(len(events))
        with (
            delivering(self._plugin.type, events),
            self._under_way("publish", self._delays.hanging_call),
        ):
            self._plugin.hook.publish(connection=connection, events=events)

    def close(self, connection: Any) -> None:
        """Release a connection; raises what the hook raises.

        Raises:
            LeftBehind: `leave_behind` was called meanwhile; the thread must end.
        """
        with self._under_way("close", self._delays.hanging_close):
            self._plugin.hook.close(connection=connection)

    def hanging(self) -> HangingCall | None:
        """Return the call that has not returned for too long; None where there is none."""
        call = self._call
        if call is None:
            return None
        seconds = time.monotonic() - call.since
        if seconds < call.longest:
            return None
        return HangingCall(
            f"hook '{call.hook}' of the plugin has not returned for {seconds:.0f} s",
            is_closing=call.hook == "close",
            is_news=not call.is_told,
        )

    def mark_told(self) -> None:
        """Note that somebody was told of the call that hangs."""
        if self._call is not None:
            self._call.is_told = True

    def leave_behind(self) -> bool:
        """Give up the call that hangs, if it still does; return whether its thread must end."""
        call = self._call
        if call is None or not call.end():
            return False
        self._call = None
        return True

    def before_fork(self, ident: int | None) -> None:
        """Wait while a thread imports a module: its child could never import it.

        Parameters:
            ident: the thread that calls the hooks; None where there is none.
        """
        deadline = time.monotonic() + _FORK_SECONDS
        while self._is_connecting and _is_importing(ident) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    @contextmanager
    def _under_way(self, hook: str, longest: float) -> Iterator[None]:
        call = self._call = _Call(hook, longest)
        self.counted.attempted(hook)
        try:
            yield
        except BaseException as error:
            self.counted.failed(hook, error)
            raise
        finally:
            if not call.end():
                raise LeftBehind
            self._call = None


def _is_importing(ident: int | None) -> bool:
    """Return whether a thread is in the midst of an import."""
    frame = None if ident is None else sys._current_frames().get(ident)
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            return True
        frame = frame.f_back
    return False
