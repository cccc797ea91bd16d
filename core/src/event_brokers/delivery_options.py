"""The options of `delivery`, the same for every type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from event_brokers.options import Options

MAX_PENDING = 100_000  # in memory, where nothing else is said


class DeliveryOptions(Options, frozen=True, kw_only=True):
    """The `delivery` section, the same for every type."""

    # an empty one would be a queue in memory, which ends with the process
    refuses_empty: ClassVar[Mapping[str, str | None]] = {"spool": None}

    spool: Annotated[
        str | None,
        Meta(description="folder in which events wait on disk; without it they wait in memory"),
    ] = None
    durability: Annotated[
        Literal["power", "process"],
        Meta(description="what an event in the spool outlives: a power cut, or only the process"),
    ] = "power"
    max_pending: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description=f"events that may wait; in memory {MAX_PENDING} unless given"),
    ] = None
    max_bytes: Annotated[
        int, Meta(ge=1, description="bytes that waiting events may take; in a spool, of its file")
    ] = 1024**3
    max_dead_letter_bytes: Annotated[
        int,
        Meta(
            ge=1,
            description="bytes that dead letters may take; in memory the oldest are forgotten, "
            "a spool halts",
        ),
    ] = 100 * 1024**2
    max_attempts: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="how often an event may fail alone, in a way that the plugin does not "
            "foresee, before it is a dead letter; without it, for ever"
        ),
    ] = None
    exit_timeout: Annotated[
        float, Meta(ge=0, description="seconds the end of the program waits for delivery")
    ] = 5.0
