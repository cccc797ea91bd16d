"""Follows the file through its rotations; one consumer of a group works, the others stand by."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from event_brokers.plugin import ConfigurationError, ReceivedEvent
from event_brokers.plugin.receiving import receive
from event_brokers_file.event_file import refuse_other_kinds
from event_brokers_file.failures import explaining
from event_brokers_file.follower import Follower, Received
from event_brokers_file.options import FileOptions
from event_brokers_file.position import GroupPosition

_POLL_SECONDS = 0.1
_SYNC_SECONDS = 1.0  # after a power cut, what was acknowledged in that time may come again


def consume(
    options: FileOptions, group: str | None, from_start: bool
) -> Iterator[ReceivedEvent | None]:
    """Yield the events of the file; see the hook `consume`.

    Parameters:
        options: of `type: file`.
        group: consumers of one group take turns: one works, the others stand by.
        from_start: whether a group without a position begins with the oldest line there is.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: a file cannot be read now.
    """
    if options.is_standard_output:
        raise ConfigurationError(
            "event_broker.path: '-' is standard output, which cannot be consumed; name a file"
        )
    path = Path(os.path.realpath(options.file))
    with explaining(path):
        path.parent.stat()
        refuse_other_kinds(path)
        with closing(Follower(path)) as follower:
            if group is not None:
                yield from _consume_in_group(follower, path, group, from_start)
            if not from_start:
                follower.begin_at_end()
            yield from receive(_look_on(follower))


def _consume_in_group(
    follower: Follower, path: Path, group: str, from_start: bool
) -> Iterator[ReceivedEvent | None]:
    with closing(GroupPosition(path, group)) as kept:
        while not kept.try_take():
            yield None
            time.sleep(_POLL_SECONDS)
        position = kept.read()
        if position is not None:
            follower.begin_at(position)
        else:
            if not from_start:
                follower.begin_at_end()
            kept.write(follower.position)
        yield from receive(_follow(follower, kept), acknowledge=kept.write)


def _look_on(follower: Follower) -> Iterator[list[Received]]:
    while True:
        received = follower.read()
        yield received
        if not received:
            time.sleep(_POLL_SECONDS)


def _follow(follower: Follower, kept: GroupPosition) -> Iterator[list[Received]]:
    synced_at = time.monotonic()
    for received in _look_on(follower):
        if time.monotonic() - synced_at >= _SYNC_SECONDS:
            kept.sync()
            synced_at = time.monotonic()
        yield received
