"""How delivery goes: the state it is in, and why."""

from __future__ import annotations

from enum import Enum

import msgspec


class State(str, Enum):
    """What delivery is doing."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RETRYING = "retrying"
    HALTED = "halted"
    CLOSED = "closed"


class Condition(msgspec.Struct, frozen=True):
    """How delivery goes.

    Attributes:
        state: connecting, connected, retrying or halted.
        last_error: why it is not connected, a sentence without secrets; None while all is well.
    """

    state: State
    last_error: str | None = None
