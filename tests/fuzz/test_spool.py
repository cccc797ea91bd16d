"""Bits that flip in the files of a spool: no event is lost that the damage did not hit."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import event_brokers
from event_brokers import Event, EventBrokersError, Status
from fuzz.conftest import Fuzz

EVENTS = {
    f"e{number:04}": {"sender_id": f"s{number % 5}", "event": "user", "text": f"{number:04}" * 40}
    for number in range(200)
}
BODIES = {event_id: Event.from_dict(event).body for event_id, event in EVENTS.items()}
AFTERWARDS = {"sender_id": "s", "event": "bot", "text": "after the damage"}
NEW = {"new": Event.from_dict(AFTERWARDS).body}

BLOCK = 4096  # of a disk, and a page of a database: its first bytes say what it is

Flips = Sequence[tuple[int, int, int, int]]
FLIPS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.integers(0, 40),
        st.integers(0, 15) | st.integers(0, BLOCK - 1),
        st.integers(0, 7),
    ),
    min_size=1,
    max_size=30,
)


@dataclass(frozen=True)
class Scene:
    """A folder with a spool that cannot deliver as long as its database's folder is missing.

    Attributes:
        folder: where everything is.
    """

    folder: Path

    @property
    def spool(self) -> Path:
        """The spool's folder."""
        return self.folder / "spool"

    @property
    def database(self) -> Path:
        """The file of the database that the events go to."""
        return self.folder / "database" / "events.db"

    @property
    def options(self) -> dict[str, Any]:
        """The section `event_broker`."""
        return {
            "type": "sql", "dialect": "sqlite", "db": str(self.database),
            "delivery": {"spool": str(self.spool), "durability": "process"},
        }  # fmt: skip

    def files(self) -> list[Path]:
        """Return every file of the spool."""
        return sorted(path for path in self.spool.rglob("*") if path.is_file())

    def fill(self) -> None:
        """Make the spool, and close it with every event in it."""
        shutil.rmtree(self.database.parent, ignore_errors=True)
        with event_brokers.connect(self.options) as broker:
            for event_id, event in EVENTS.items():
                broker.publish(event, event_id)
            broker.close(timeout=0)

    def damage(self, flips: Flips) -> None:
        """Flip bits.

        Parameters:
            flips: which file, which block of it, where in the block, and which bit.
        """
        files = [path for path in self.files() if path.stat().st_size]
        for which, block, offset, bit in flips:
            file = files[which % len(files)]
            place = (block * BLOCK + offset) % file.stat().st_size
            with file.open("r+b") as opened:
                opened.seek(place)
                (byte,) = opened.read(1)
                opened.seek(place)
                opened.write(bytes([byte ^ 1 << bit]))

    def deliver(self) -> Status | None:
        """Deliver what can be delivered and one event more; None where the spool is refused."""
        self.database.parent.mkdir()
        try:
            with event_brokers.connect(self.options) as broker:
                broker.publish(AFTERWARDS, "new")
                return broker.flush(timeout=20)
        except EventBrokersError:
            return None

    def delivered(self) -> dict[str, str]:
        """Return the body of each event in the database, by its id."""
        if not self.database.exists():
            return {}
        connection = sqlite3.connect(self.database)
        try:
            return dict(connection.execute("SELECT event_id, data FROM events"))
        finally:
            connection.close()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Return a scene whose spool is full."""
    made = Scene(tmp_path)
    made.fill()
    return made


def bodies_in(files: Iterable[Path]) -> set[str]:
    """Return the ids of the events whose bodies stand in files, whole."""
    content = b"\0".join(file.read_bytes() for file in files)
    return {event_id for event_id, body in BODIES.items() if body in content}


def test_a_sound_spool_delivers_everything(scene: Scene) -> None:
    """Without a flipped bit nothing is missing, and nothing is set aside."""
    files = scene.files()
    status = scene.deliver()
    assert status is not None
    assert (status.accepted, status.delivered, status.pending) == (201, 201, 0)
    assert scene.delivered() == {name: body.decode() for name, body in (BODIES | NEW).items()}
    assert scene.files() == files


def test_no_event_is_lost_that_the_damage_did_not_hit(scene: Scene, fuzz: Fuzz) -> None:
    """It is delivered, or stands in what was set aside; whatever is raised is of this project."""
    sound = scene.folder / "sound"
    shutil.copytree(scene.spool, sound)
    files = set(scene.files())

    # an example takes its time: what fails is shown as it was found
    @settings(max_examples=15, phases=[Phase.explicit, Phase.reuse, Phase.generate])
    @given(FLIPS)
    def check(flips: Flips) -> None:
        for folder in (scene.spool, scene.database.parent):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(sound, scene.spool)
        scene.damage(flips)
        whole = bodies_in(scene.files())
        status = scene.deliver()
        delivered = scene.delivered()
        for event_id, body in delivered.items():
            assert body.encode() == (BODIES | NEW)[event_id]
        kept = scene.files()
        if status is not None:
            assert status.accepted == status.delivered + status.pending + status.dead_letters
            assert (status.pending, "new" in delivered) == (0, True)
            # what is left of the spool itself does not count: it has forgotten what it delivered
            kept = [file for file in kept if file not in files]
        assert whole - set(delivered) <= bodies_in(kept)

    fuzz(check)
