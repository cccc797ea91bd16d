"""Whatever happens to a file, its lines are there, and each consumer receives them in order, once.

Writers append and rotate, processes die amid each of their steps, and two groups of consumers
follow as far as they like.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from event_brokers import Event, ReceivedEvent
from event_brokers_file import consumer
from event_brokers_file.connection import Connection
from event_brokers_file.line import to_line
from event_brokers_file.options import FileOptions
from event_brokers_file.rotated_files import RotatedFiles
from servers.backends.file import read_lines

WRITERS = st.integers(0, 2)
GROUPS = st.sampled_from(["one", "two"])
# one that rotates at once, one that does so after some events, one that never does
ROTATIONS: tuple[dict[str, Any], ...] = (
    {"rotate": "size", "rotate_bytes": 1},
    {"rotate": "size", "rotate_bytes": 700, "rotated_names": "dates"},
    {},
)


class Following:
    """A consumer of one group, and what it has acknowledged.

    Parameters:
        path: of the file.
        group: its group.
    """

    def __init__(self, path: Path, group: str) -> None:
        self._arguments = (FileOptions(path=str(path)), group, True)
        self._consumer: Generator[ReceivedEvent | None, None, None] | None = None
        self._in_hand: str | None = None
        self.acknowledged: list[str] = []

    def take(self, count: int) -> None:
        """Receive so many events, as far as there are any."""
        if self._consumer is None:
            self._consumer = cast(Any, consumer.consume(*self._arguments))
        turns = 0
        # a turn without an event may be one in which a file is left for the next
        while count and turns < 4 + len(list(self._arguments[0].file.parent.iterdir())):
            received = next(self._consumer)
            self._acknowledge()
            if received is None:
                turns += 1
                continue
            assert received.problem is None
            assert received.id is not None
            self._in_hand, turns, count = received.id, 0, count - 1

    def end(self) -> None:
        """Close it, with an event in hand or without."""
        if self._consumer is not None:
            self._consumer.close()
        self._consumer = self._in_hand = None

    def _acknowledge(self) -> None:
        if self._in_hand is not None:
            self.acknowledged.append(self._in_hand)
        self._in_hand = None


class FileMachine(RuleBasedStateMachine):
    """The model: the ids of the lines in the order in which they were written."""

    def __init__(self) -> None:
        super().__init__()
        self._no_pause = mock.patch.object(consumer, "_POLL_SECONDS", 0)
        self._no_pause.start()
        self._folder = Path(tempfile.mkdtemp())
        self._path = self._folder / "events.log"
        self._used: set[str] = set()
        self._writers: dict[int, Connection] = {}
        self._lines: list[str] = []
        self._number = 0
        self._torn = False
        self._following = {group: Following(self._path, group) for group in ("one", "two")}

    @rule(writer=WRITERS, count=st.integers(1, 5))
    def append(self, writer: int, count: int) -> None:
        """Whatever was left behind by others, all of the events are there afterwards."""
        events = [self._make_event() for _ in range(count)]
        self._writer(writer).publish(events)
        self._lines += [event.id for event in events]
        self._torn = False

    @rule(writer=WRITERS)
    def end_writer(self, writer: int) -> None:
        """It connects anew when it is needed."""
        self._writers.pop(writer, mock.Mock()).close()

    @precondition(lambda self: self._path.exists() and not self._torn)
    @rule(whole=st.integers(0, 2), share=st.floats(0.01, 0.99))
    def die_amid_a_write(self, whole: int, share: float) -> None:
        """Some of the lines are whole, and half of one is there."""
        events = [self._make_event() for _ in range(whole)]
        half = to_line(self._make_event(), True)
        with self._path.open("ab") as file:
            file.writelines(to_line(event, True) for event in events)
            file.write(half[: max(1, int(share * (len(half) - 2)))])
        self._lines += [event.id for event in events]
        self._torn = True

    @precondition(lambda self: self._path.exists() and not self._torn and self._path.stat().st_size)
    @rule()
    def die_amid_a_rotation(self) -> None:
        """The file has its new name, and nothing has its place."""
        self._path.rename(RotatedFiles(self._path).next_path(None))

    @rule()
    def compress(self) -> None:
        """All that was rotated."""
        options = FileOptions(
            path=str(self._path), durability="process", rotate="size", compress=True
        )
        Connection(options, self._used).close()

    @rule(step=st.sampled_from(["half", "whole"]))
    def die_amid_a_compression(self, step: str) -> None:
        """Half a copy is there, or a whole one whose original was not deleted yet."""
        plain = [each for each in RotatedFiles(self._path).find() if not each.is_compressed]
        if not plain:
            return
        copy = gzip.compress(plain[0].path.read_bytes())
        if step == "half":
            Path(f"{plain[0].path}.gz.part").write_bytes(copy[:10])
        else:
            Path(f"{plain[0].path}.gz").write_bytes(copy)

    @rule(group=GROUPS, count=st.integers(1, 12))
    def consume(self, group: str, count: int) -> None:
        """As many as there are, up to some."""
        self._following[group].take(count)

    @rule(group=GROUPS)
    def end_consumer(self, group: str) -> None:
        """The next one of the group goes on."""
        self._following[group].end()

    @invariant()
    def every_consumer_has_received_each_line_once_in_order(self) -> None:
        """What it has acknowledged is the begin of what was written."""
        for following in self._following.values():
            assert following.acknowledged == self._lines[: len(following.acknowledged)]

    def teardown(self) -> None:
        """In the end all lines are there, and every group receives all of them."""
        try:
            self.append(2, 1)
            assert [line.event_id for line in read_lines(self._path)] == self._lines
            for following in self._following.values():
                following.end()
                following.take(len(self._lines) + 1)
                assert following.acknowledged == self._lines
                following.end()
        finally:
            for writer in self._writers.values():
                writer.close()
            self._no_pause.stop()
            shutil.rmtree(self._folder)

    def _writer(self, writer: int) -> Connection:
        if writer not in self._writers:
            options = FileOptions(path=str(self._path), durability="process", **ROTATIONS[writer])
            self._writers[writer] = Connection(options, self._used)
        return self._writers[writer]

    def _make_event(self) -> Event:
        self._number += 1
        text = os.fsdecode(b"x" * (self._number * 37 % 200))
        return Event.from_dict({"n": self._number, "text": text}, f"id-{self._number}")


TestFileMachine = FileMachine.TestCase
TestFileMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
