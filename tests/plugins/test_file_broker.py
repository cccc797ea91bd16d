"""Events go into a file: whole lines, durable, by any number of processes, through rotations."""

from __future__ import annotations

import asyncio
import fcntl
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import event_brokers
from command import Commands, closing_line
from event_brokers import BrokerUnavailable, ConfigurationError, Event, ReceivedEvent
from event_brokers.rasa import RasaEventBroker
from event_brokers_file import FileProducer, descriptor, standard_output
from event_brokers_file.compression import Compression
from event_brokers_file.connection import Connection
from event_brokers_file.hooks import check, connect
from event_brokers_file.line import from_line, to_line
from event_brokers_file.options import FileOptions
from event_brokers_file.rotated_files import RotatedFiles
from rasas_loader import RASA_TYPE, EndpointConfig, read_yaml
from servers.backends.file import read_lines, read_texts
from small_disk import fill_up, small_disk
from waiting import wait_until

DISK_BYTES = 512 * 1024
DAY = 24 * 3600

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)  # fmt: skip
EVENTS = st.dictionaries(
    st.text() | st.sampled_from(["event", "event_broker", "sender_id"]), VALUES, max_size=4
)
HEADERS = st.dictionaries(
    st.sampled_from(["event_broker", "x", "environment"]), st.sampled_from(["", '"}}', "żółw"])
)


def events(first: int, last: int, **more: Any) -> list[Event]:
    """Return numbered events."""
    return [
        Event.from_dict({"sender_id": "a", "event": "user", "n": number, **more})
        for number in range(first, last)
    ]


def opened(path: Path, used: set[str] | None = None, **options: Any) -> Connection:
    """Connect to a file."""
    connection = connect(FileOptions(path=str(path), **options), set() if used is None else used)
    assert isinstance(connection, Connection)
    return connection


def publish(path: Path, batch: Sequence[Event], **options: Any) -> None:
    """Publish a batch through a connection of its own."""
    connection = opened(path, **options)
    try:
        connection.publish(batch)
    finally:
        connection.close()


def numbers(path: Path) -> list[int]:
    """Return the numbers of all the events in a file and in what it was rotated into."""
    return [json.loads(line.body)["n"] for line in read_lines(path)]


def names(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def set_age(path: Path, seconds: float) -> float:
    """Let a file seem to be written to some time ago; return when."""
    then = time.time() - seconds
    os.utime(path, (then, then))
    return then


def day_of(seconds: float) -> str:
    """Return the day in a name."""
    return time.strftime("%Y-%m-%d", time.localtime(seconds))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a file that is missing, in a folder of its own."""
    folder = tmp_path / "log"
    folder.mkdir()
    return folder / "events.log"


# lines


def test_a_line_is_the_event_with_one_key_more(file: Path) -> None:
    """Id, type and headers stand under it; nothing else of the event is changed."""
    event = Event.from_dict(
        {"sender_id": "a", "event": "user", "text": "hi"}, "id-1", {"environment": "test"}
    )
    publish(file, [event])
    assert file.read_text(encoding="utf-8") == (
        '{"sender_id":"a","event":"user","text":"hi",'
        '"event_broker":{"id":"id-1","type":"user","headers":{"environment":"test"}}}\n'
    )


def test_without_ids_a_line_is_the_body_alone(file: Path) -> None:
    """As Rasa writes it."""
    batch = events(0, 3)
    publish(file, batch, event_ids=False)
    assert file.read_bytes() == b"".join(event.body + b"\n" for event in batch)


@given(EVENTS, HEADERS)
def test_every_event_is_one_line_and_comes_back_whole(
    event: dict[str, Any], headers: dict[str, str]
) -> None:
    """Body byte for byte, id and headers, whatever an event and its keys look like."""
    made = Event.from_dict(event, headers=headers)
    line = to_line(made, True)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    received = from_line(line[:-1], "here")
    assert (received.body, received.id, received.headers) == (made.body, made.id, made.headers)
    assert {"event_broker", *event} == json.loads(line).keys()


@given(st.binary() | st.sampled_from([
    b'{"a":1,"event_broker":{"id":1}}', b'{"event_broker":{"id":"1"}', b'"event_broker":{"id":}',
    b'{"event_broker":{"id":"1","other":2}}', b'{"x":{"event_broker":{"id":"a"}}}',
]))  # fmt: skip
def test_a_line_of_somebody_else_is_received_as_it_is(line: bytes) -> None:
    """What looks like the key and is not it belongs to the body."""
    received = from_line(line, "here")
    if received.id is None:
        assert received == ReceivedEvent.from_body(line, "here")
    else:
        assert line.endswith(b"}}")


# where the file is


def test_a_relative_path_means_the_folder_in_which_the_section_was_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that changes its folder later, as daemons do, still writes there."""
    monkeypatch.chdir(file.parent)
    options = FileOptions()
    monkeypatch.chdir("/")
    connection = connect(options, set())
    connection.publish(events(0, 1))
    connection.close()
    assert names(file.parent) == ["rasa_event.log"]


def test_the_class_of_the_documentation_writes(file: Path) -> None:
    """`FileProducer(path)`."""
    with FileProducer(str(file)) as broker:
        broker.publish({"n": 0})
    assert numbers(file) == [0]


def test_the_file_is_for_its_owner_alone_unless_somebody_says_otherwise(file: Path) -> None:
    """Conversations are personal; rights that were given are those of the next file as well."""
    publish(file, events(0, 1))
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    publish(file, events(1, 3), rotate="size", rotate_bytes=1, compress=True)
    assert {path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {0o640}


def test_a_link_is_followed_and_what_it_leads_to_is_rotated(file: Path, tmp_path: Path) -> None:
    """Also one to a file that is not there yet; the link stays."""
    link = tmp_path / "link.log"
    link.symlink_to(file)
    publish(link, events(0, 2), rotate="size", rotate_bytes=1)
    assert link.is_symlink()
    assert names(file.parent) == ["events.log", "events.log.1"]
    assert numbers(file) == [0, 1]
    assert f"to which '{link}' leads" in check(FileOptions(path=str(link)))[0]


def test_a_link_that_leads_elsewhere_is_noticed(file: Path, tmp_path: Path) -> None:
    """From the next batch on."""
    link, other = tmp_path / "link.log", tmp_path / "other.log"
    link.symlink_to(file)
    connection = opened(link)
    connection.publish(events(0, 1))
    other.touch()
    link.unlink()
    link.symlink_to(other)
    connection.publish(events(1, 2))
    connection.close()
    assert (numbers(file), numbers(other)) == ([0], [1])


@pytest.mark.parametrize("hook", [check, lambda options: connect(options, set())])
def test_what_is_no_file_is_said_in_a_sentence(file: Path, hook: Any) -> None:
    """A missing folder, a folder, a pipe, a device, links in a circle: a person must change it."""
    folder = file.parent
    os.mkfifo(folder / "pipe")
    (folder / "circle").symlink_to("circle")
    sentences = {
        folder / "no" / "events.log": f"the folder '{folder}/no' does not exist; make it first",
        folder: f"'{folder}' is a folder; name a file",
        folder / "pipe": f"'{folder}/pipe' is neither a file nor missing; name a file, or -",
        Path("/dev/null"): "'/dev/null' is neither a file nor missing",
        folder / "circle": "too many levels of symbolic links; name a file",
        folder / ("x" * 300): "file name too long; name a file",
    }
    for path, sentence in sentences.items():
        with pytest.raises(ConfigurationError) as caught:
            hook(FileOptions(path=str(path)))
        assert str(caught.value).startswith("event_broker.path: ")
        assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"path": "folder/"}, "path: names a folder; name a file in it"),
        ({"keep": 3}, "keep: has no effect without rotate; add rotate: size or day"),
        ({"compress": True}, "compress: has no effect without rotate"),
        ({"rotate": "day", "rotate_bytes": 5}, "rotate_bytes: has no effect with rotate: day"),
        ({"path": "-", "rotate": "day"}, "rotate: has no effect on standard output"),
        ({"rotate": "size", "keep": 0}, "keep: "),
        ({"rotate": "hourly"}, "rotate: "),
        ({"paht": "x"}, "unknown option of 'file'; did you mean 'path'?"),
    ],
)
def test_a_mistake_in_an_option_is_a_sentence(section: dict[str, Any], sentence: str) -> None:
    """What has no effect would be missed on a full disk."""
    with pytest.raises(ConfigurationError) as caught:
        event_brokers.connect({"type": "file", **section})
    assert sentence in str(caught.value)


# durability


@pytest.mark.parametrize(("durability", "flushes"), [("power", 1), ("process", 0)])
def test_an_event_is_flushed_before_it_counts_as_delivered(
    file: Path, monkeypatch: pytest.MonkeyPatch, durability: str, flushes: int
) -> None:
    """Once a batch with `power`, which is what is meant where nothing is said."""
    found: list[int] = []
    publish(file, events(0, 1))
    connection = opened(file, durability=durability)
    monkeypatch.setattr(os, "fsync", lambda _: found.append(len(file.read_bytes())))
    connection.publish(events(1, 10))
    connection.close()
    assert found == [file.stat().st_size] * flushes
    assert FileOptions().durability == "power"


def test_a_flush_that_fails_confirms_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a second one would succeed: the kernel tells of lost pages once."""
    connection = opened(file)
    failures = [OSError(5, "Input/output error")]

    def flush(_number: int) -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(os, "fsync", flush)
    with pytest.raises(BrokerUnavailable, match="input/output error") as caught:
        connection.publish(events(0, 3))
    assert caught.value.confirmed == frozenset()
    connection.close()


# half lines


def test_half_a_line_is_cut_off_and_whole_ones_stay(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that was killed has left it; its event was not delivered, and comes again."""
    publish(file, events(0, 2))
    with file.open("ab") as writing:
        writing.write(to_line(events(2, 3)[0], True) + b'{"sender_id":"a","n":')
    publish(file, events(3, 4))
    assert numbers(file) == [0, 1, 2, 3]
    assert f"'{file}' ended with 21 bytes of a line that nobody has finished" in caplog.text


def test_a_whole_line_without_an_end_gets_one(file: Path) -> None:
    """It is somebody else's, and no half one."""
    file.write_bytes(b'{"n":0}\n{"n":1}')
    publish(file, events(2, 3))
    assert numbers(file) == [0, 1, 2]


def test_a_half_line_of_any_length_is_found(file: Path) -> None:
    """Its begin may stand far before the end."""
    publish(file, events(0, 1))
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"text":"' + b"x" * 300_000)
    publish(file, events(1, 2))
    assert numbers(file) == [0, 1]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with a small disk of its own."""
    with small_disk(tmp_path / "disk", DISK_BYTES) as folder:
        yield folder


def test_a_full_disk_is_an_outage_that_leaves_no_half_line(disk: Path) -> None:
    """Whole lines stay, and are named as confirmed; the rest goes in when there is room."""
    path = disk / "events.log"
    batch = events(0, 300, text="x" * 1000)
    connection = opened(path)
    foreign = fill_up(disk, left=100_000)
    with pytest.raises(BrokerUnavailable, match="no space left on device") as caught:
        connection.publish(batch)
    connection.close()
    stored = [line.event_id for line in read_lines(path)]
    assert 0 < len(stored) < len(batch)
    assert caught.value.confirmed == set(stored)
    foreign.unlink()
    publish(path, batch[len(stored) :])
    assert [line.event_id for line in read_lines(path)] == [event.id for event in batch]


def test_delivery_goes_on_by_itself_when_the_disk_has_room(disk: Path) -> None:
    """An event stands there once, and the outage is told in words."""
    path = disk / "events.log"
    with event_brokers.connect({"type": "file", "path": str(path)}) as broker:
        foreign = fill_up(disk, left=50_000)
        ids = broker.publish_many([{"n": n, "text": "x" * 1000} for n in range(100)])
        wait_until(lambda: broker.status().last_error)
        assert broker.status().state == "retrying"
        assert broker.status().last_error == f"'{path}': no space left on device"
        foreign.unlink()
        assert broker.flush(60).delivered == 100
    assert [line.event_id for line in read_lines(path)] == ids


# rotation


def test_a_full_file_gets_a_number_that_grows(file: Path) -> None:
    """No file is larger than it may be, the oldest has the lowest number, and none is renamed."""
    connection = opened(file, rotate="size", rotate_bytes=1000)
    connection.publish(events(0, 50))
    connection.publish(events(50, 60))
    connection.close()
    rotated = sorted(file.parent.glob("events.log.*"), key=lambda path: int(path.suffix[1:]))
    assert [path.name for path in rotated] == [
        f"events.log.{n}" for n in range(1, len(rotated) + 1)
    ]
    assert len(rotated) > 5
    assert all(700 < path.stat().st_size <= 1000 for path in rotated)
    assert numbers(file) == list(range(60))


def test_an_event_larger_than_a_file_has_one_of_its_own(file: Path) -> None:
    """It is delivered all the same, and no file is empty."""
    batch = [*events(0, 1), *events(1, 2, text="x" * 5000), *events(2, 3)]
    publish(file, batch, rotate="size", rotate_bytes=1000)
    assert numbers(file) == [0, 1, 2]
    assert names(file.parent) == ["events.log", "events.log.1", "events.log.2"]


def test_another_day_begins_another_file(file: Path) -> None:
    """Named after the day of its last line; a clock that is put back begins none."""
    publish(file, events(0, 2), rotate="day")
    then = set_age(file, DAY)
    publish(file, events(2, 4), rotate="day")
    assert names(file.parent) == ["events.log", f"events.log.{day_of(then)}.1"]
    set_age(file, -2 * DAY)
    publish(file, events(4, 5), rotate="day")
    assert len(names(file.parent)) == 2
    assert numbers(file) == [0, 1, 2, 3, 4]


def test_half_a_line_of_another_day_is_mended_before_its_file_is_rotated(file: Path) -> None:
    """And the file still has the name of its own day."""
    publish(file, events(0, 1), rotate="day")
    with file.open("ab") as writing:
        writing.write(b'{"n":')
    then = set_age(file, DAY)
    publish(file, events(1, 2), rotate="day")
    assert names(file.parent) == ["events.log", f"events.log.{day_of(then)}.1"]
    assert numbers(file) == [0, 1]


def test_names_may_be_the_other_ones(file: Path) -> None:
    """Dates where files are rotated by size, numbers where by day; numbers go on over both."""
    publish(file, events(0, 2), rotate="size", rotate_bytes=1, rotated_names="dates")
    set_age(file, DAY)
    publish(file, events(2, 3), rotate="day", rotated_names="numbers")
    today = day_of(time.time())
    assert names(file.parent) == sorted(["events.log", f"events.log.{today}.1", "events.log.2"])
    assert numbers(file) == [0, 1, 2]


@pytest.mark.parametrize("compress", [False, True])
def test_the_oldest_files_are_deleted(file: Path, compress: bool) -> None:
    """`keep` of them stay, compressed or not, and numbers go on."""
    for number in range(8):
        publish(
            file, events(number, number + 1), rotate="size", rotate_bytes=1, keep=3,
            compress=compress,
        )  # fmt: skip
    end = ".gz" if compress else ""
    assert names(file.parent) == ["events.log", *(f"events.log.{n}{end}" for n in (5, 6, 7))]
    assert numbers(file) == [4, 5, 6, 7]


def test_other_files_beside_it_are_left_alone(file: Path) -> None:
    """What has no name of ours is nobody's to delete, to compress, or to count."""
    others = ["events.log.old", "events.log.1x", "events.log.07", "events.log.2.gz.part.bak",
              "other.log.9", "events.log.2026-01-31", "events.log.9.bz2"]  # fmt: skip
    for name in others:
        (file.parent / name).write_bytes(b"x")
    publish(file, events(0, 3), rotate="size", rotate_bytes=1, keep=1, compress=True)
    assert names(file.parent) == sorted([*others, "events.log", "events.log.2.gz"])


def test_a_file_that_is_deleted_while_it_is_compressed_leaves_no_copy(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where it is in the last instant before the copy gets its name."""
    rotated = two_rotated(file)

    def prune_now(*_: object, **__: object) -> None:
        monkeypatch.undo()
        rotated.prune(1)

    monkeypatch.setattr(os, "utime", prune_now)
    compress(rotated)
    assert names(file.parent) == ["events.log.2.gz"]


def test_a_file_that_is_rotated_away_while_the_oldest_are_deleted_stays(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was there when the folder was looked at."""
    rotated, look = two_rotated(file), os.listdir

    def rotate_afterwards(folder: Path) -> list[str]:
        found = look(folder)
        file.with_name(f"{file.name}.3").touch()
        return found

    monkeypatch.setattr(os, "listdir", rotate_afterwards)
    rotated.prune(1)
    monkeypatch.undo()
    assert names(file.parent) == ["events.log.2", "events.log.3"]


def two_rotated(file: Path) -> RotatedFiles:
    """Make two files that were rotated away."""
    for number in (1, 2):
        file.with_name(f"{file.name}.{number}").write_bytes(b"{}\n")
    return RotatedFiles(file)


def compress(rotated: RotatedFiles) -> None:
    """Compress them all, of which one is to be kept."""
    compression = Compression(rotated, 1, is_synced=False)
    compression.begin()
    compression.close()


def test_a_compressed_file_is_read_by_gzip_and_keeps_its_time(file: Path) -> None:
    """Whoever publishes waits for none of it, and `close` for seconds only."""
    publish(file, events(0, 5))
    then = set_age(file, 100)
    plain = file.read_bytes()
    publish(file, events(5, 6), rotate="size", rotate_bytes=1, compress=True)
    compressed = file.with_name("events.log.1.gz")
    assert gzip.decompress(compressed.read_bytes()) == plain
    assert compressed.stat().st_mtime == pytest.approx(then, abs=1)
    assert names(file.parent) == ["events.log", "events.log.1.gz"]


def test_what_a_killed_process_has_left_half_compressed_is_compressed_again(file: Path) -> None:
    """A half copy is written anew or deleted, and so is an original whose copy is whole."""
    publish(file, events(0, 3), rotate="size", rotate_bytes=1)
    folder = file.parent
    (folder / "events.log.1.gz.part").write_bytes(b"half of it")
    (folder / "events.log.9.gz.part").write_bytes(b"its original was deleted, or compressed")
    (folder / "events.log.2.gz").write_bytes(gzip.compress((folder / "events.log.2").read_bytes()))
    opened(file, rotate="size", compress=True).close()
    assert names(folder) == ["events.log", "events.log.1.gz", "events.log.2.gz"]
    assert numbers(file) == [0, 1, 2]
    (folder / "events.log.1.gz.part").write_bytes(b"")
    opened(file, rotate="size", compress=True).close()
    assert names(folder) == ["events.log", "events.log.1.gz", "events.log.2.gz"]


def test_a_compression_that_fails_is_told_and_holds_nobody_up(
    disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The original stays until there is room for the copy."""
    path = disk / "events.log"
    publish(path, events(0, 1, noise=os.urandom(30_000).hex()))
    foreign = fill_up(disk, left=8192)
    publish(path, events(1, 2), rotate="size", rotate_bytes=1, compress=True)
    assert "file: compressing: no space left on device" in caplog.text
    assert numbers(path) == [0, 1]
    foreign.unlink()
    opened(path, rotate="size", compress=True).close()
    assert (path.with_name("events.log.1.gz").exists(), numbers(path)) == (True, [0, 1])


def test_a_rotation_under_another_process_takes_no_line_along(file: Path) -> None:
    """Whoever has the old file open goes on in the new one."""
    first = opened(file)
    second = opened(file, rotate="size", rotate_bytes=1)
    for number in range(0, 10, 2):
        first.publish(events(number, number + 1))
        second.publish(events(number + 1, number + 2))
    first.close()
    second.close()
    assert numbers(file) == list(range(10))
    assert numbers(file.with_name("events.log.1")) == [0]


def test_a_file_that_another_program_has_moved_is_made_anew(file: Path) -> None:
    """As logrotate does; what was written stays in the one that was moved."""
    connection = opened(file)
    connection.publish(events(0, 1))
    file.rename(file.with_name("events.log-20260131"))
    connection.publish(events(1, 2))
    connection.close()
    assert numbers(file.with_name("events.log-20260131")) == [0]
    assert numbers(file) == [1]


def test_a_file_that_is_missing_amid_a_rotation_is_made_anew(file: Path) -> None:
    """A process can be killed when it has renamed the old one."""
    used: set[str] = set()
    opened(file, used).publish(events(0, 1))
    file.rename(file.with_name("events.log.1"))
    opened(file, used).publish(events(1, 2))
    assert numbers(file) == [0, 1]


def test_a_file_that_held_events_and_was_deleted_is_never_made_anew(file: Path) -> None:
    """As a table is not: delivery halts in a sentence, and goes on when the file is back."""
    with event_brokers.connect({"type": "file", "path": str(file)}) as broker:
        broker.publish({"n": 0})
        assert broker.flush(20).delivered == 1
        file.unlink()
        broker.publish({"n": 1})
        wait_until(lambda: broker.status().state == "halted")
        assert str(broker.status().last_error).startswith(
            f"event_broker.path: the file '{file}' was used before and is gone; bring it back"
        )
        assert not file.exists()
        file.touch()
        assert broker.flush(60).delivered == 2
    assert numbers(file) == [1]


def test_a_folder_that_is_gone_is_said_and_not_made(file: Path) -> None:
    """A disk that is not mounted is no place for events."""
    connection = opened(file)
    connection.publish(events(0, 1))
    shutil.rmtree(file.parent)
    with pytest.raises(ConfigurationError, match=r"the folder '.*' does not exist; make it first"):
        connection.publish(events(1, 2))
    connection.close()
    assert not file.parent.exists()


# other processes


def test_a_lock_that_nobody_lets_go_of_is_an_outage(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process hangs while it writes: no call waits for ever."""
    monkeypatch.setattr(descriptor, "PATIENCE_SECONDS", 0.1)
    connection = opened(file)
    with file.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BrokerUnavailable, match="is locked by another process"):
            connection.publish(events(0, 1))
    connection.publish(events(0, 1))
    connection.close()
    assert numbers(file) == [0]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_keep_the_lock(file: Path) -> None:
    """A parent that is killed while it writes leaves the file to the others, not to its child."""
    read, write = os.pipe()
    parent = os.fork()
    if not parent:
        connection = opened(file)
        with connection._file.locked():
            child = os.fork()
            if not child:
                signal.pause()
            os.write(write, f"{child}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    child = int(os.read(read, 20))
    os.close(read)
    os.close(write)
    try:
        publish(file, events(0, 1))
    finally:
        os.kill(child, signal.SIGKILL)
    assert numbers(file) == [0]


WRITER = """
import os, sys
from event_brokers import Event
from event_brokers_file.connection import Connection
from event_brokers_file.options import FileOptions

path, writer, first = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
options = FileOptions(
    path=path, durability="process", rotate="size", rotate_bytes=20_000, compress=True
)
connection, number = Connection(options, set()), first
while True:
    batch = [
        Event.from_dict({"sender_id": str(writer), "n": n, "text": "x" * 300})
        for n in range(number, number + 40)
    ]
    connection.publish(batch)
    number += 40
    os.write(1, f"{number}\\n".encode())
"""


def test_writers_that_are_killed_amid_writes_lose_nothing_and_tear_nothing(file: Path) -> None:
    """Each acknowledged line is there, whole and in order, whoever was killed, while it rotates."""
    reached = dict.fromkeys(range(3), 0)

    def run(writer: int) -> None:
        for round_number in range(4):
            with subprocess.Popen(
                [sys.executable, "-c", WRITER, str(file), str(writer), str(reached[writer])],
                stdout=subprocess.PIPE,
            ) as process:
                assert process.stdout is not None
                for count, line in enumerate(process.stdout):
                    if not line.endswith(b"\n"):
                        break
                    reached[writer] = int(line)
                    if count == 20 + 7 * round_number + writer:
                        process.kill()

    threads = [threading.Thread(target=run, args=(writer,)) for writer in reached]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    publish(file, events(0, 1), rotate="size", compress=True)
    found: dict[str, dict[int, None]] = {}
    for line in read_lines(file):
        body = json.loads(line.body)
        found.setdefault(body["sender_id"], {})[body["n"]] = None
    for writer, count in reached.items():
        assert count > 80
        mine = list(found[str(writer)])
        assert mine[:count] == list(range(count))
    assert not list(file.parent.glob("*.part"))


# who may write

FORBIDDEN = """
import os, sys
from event_brokers import ConfigurationError
from event_brokers_file.hooks import check, connect
from event_brokers_file.options import FileOptions
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
for hook in (lambda options: connect(options, set()), check):
    try:
        hook(FileOptions(path=sys.argv[1]))
    except ConfigurationError as error:
        print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("is_there", [True, False])
def test_a_missing_right_is_said_in_a_sentence(is_there: bool) -> None:
    """With the path, whether the file or its folder is forbidden."""
    folder = Path("/tmp") / f"forbidden-{os.getpid()}"
    folder.mkdir(mode=0o755)
    path = folder / "events.log"
    if is_there:
        path.write_bytes(b"")
        path.chmod(0o600)
    try:
        ended = subprocess.run(
            [sys.executable, "-c", FORBIDDEN, str(path)],
            capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
    finally:
        shutil.rmtree(folder)
    assert ended.stderr == ""
    lines = ended.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith(f"event_broker.path: '{folder}")
        assert line.endswith("': permission denied; let this user write it and its folder")


# what check says


def test_check_says_what_is_there_and_what_is_made(file: Path) -> None:
    """And changes nothing."""
    options = FileOptions(path=str(file), rotate="day", keep=7, compress=True)
    assert check(options) == [
        f"missing is the file '{file}'; it is made at the first connect",
        "it is rotated daily; 7 are kept, compressed, 0 rotated files found",
        "an event is delivered when it is flushed to the disk",
        (
            "a line is the event, as in Rasa, and beside it the key event_broker; "
            "Rasa's file is 'rasa_event.log'"
        ),
    ]
    assert names(file.parent) == []
    publish(file, events(0, 3), rotate="size", rotate_bytes=200)
    size = file.stat().st_size
    found = check(FileOptions(path=str(file), durability="process", event_ids=False))
    assert found[:2] == [
        f"connected to the file '{file}': {size} bytes",
        "it is never rotated, 2 rotated files found",
    ]
    assert "a power cut may take the last ones" in found[2]
    assert "ids and headers are not kept" in found[3]


# standard output

TO_STANDARD_OUTPUT = """
import event_brokers
with event_brokers.connect({"type": "file", "path": "-"}) as broker:
    broker.publish_many([{"n": number, "text": "x" * 100} for number in range(1000)])
"""


def test_a_dash_is_standard_output(file: Path) -> None:
    """Whole lines, and no file of that name."""
    ended = subprocess.run(
        [sys.executable, "-c", TO_STANDARD_OUTPUT], cwd=file.parent, capture_output=True, check=True
    )
    assert ended.stderr == b""
    assert [json.loads(line)["n"] for line in ended.stdout.splitlines()] == list(range(1000))
    assert names(file.parent) == []


def test_the_commands_say_what_standard_output_is_not(commands: Commands) -> None:
    """`check` that it keeps nothing, `tail` that it cannot be read."""
    commands.broker({"type": "file", "path": "-"})
    checked = commands.run("check")
    assert (checked.code, checked.err) == (0, "")
    assert "which keeps nothing: durability has no effect, and nothing can be" in checked.out
    tailed = commands.run("tail")
    assert (tailed.code, tailed.out) == (78, "")
    assert tailed.err == (
        "Error: event_broker.path: '-' is standard output, which cannot be consumed; name a file\n"
    )


def test_a_reader_that_reads_no_more_is_an_outage_of_some_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half a line is followed by a line end, so that the next one is whole."""
    read, write = os.pipe()
    monkeypatch.setattr(standard_output, "DESCRIPTOR", write)
    monkeypatch.setattr(standard_output, "_PATIENCE_SECONDS", 0.05)
    connection = connect(FileOptions(path="-"), set())
    batch = events(0, 10, text="x" * 15_000)
    with pytest.raises(BrokerUnavailable, match="standard output: nobody reads it") as caught:
        connection.publish(batch)
    before = _drain(read)
    connection.publish(batch[len(caught.value.confirmed) :][:3])
    lines = (before + _drain(read)).split(b"\n")
    os.close(write)
    with pytest.raises(ConfigurationError, match="'-' is standard output, which is closed"):
        connect(FileOptions(path="-"), set())
    os.close(read)
    whole = [json.loads(line)["n"] for line in lines if line.endswith(b"}}")]
    assert whole == [*range(len(caught.value.confirmed) + 3)]
    assert caught.value.confirmed == {event.id for event in batch[: len(caught.value.confirmed)]}


def test_a_reader_that_is_gone_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """In words, and not the end of the program."""
    read, write = os.pipe()
    monkeypatch.setattr(standard_output, "DESCRIPTOR", write)
    os.close(read)
    with pytest.raises(BrokerUnavailable, match="standard output: broken pipe"):
        connect(FileOptions(path="-"), set()).publish(events(0, 1))
    os.close(write)


def _drain(read: int) -> bytes:
    os.set_blocking(read, False)
    found = b""
    try:
        while piece := os.read(read, 65536):
            found += piece
    except BlockingIOError:
        pass
    os.set_blocking(read, True)
    return found


# beside the rest


def test_what_waits_in_a_spool_goes_into_the_file_when_it_can_be_written(
    commands: Commands,
) -> None:
    """What waits in a spool while the file cannot be written goes into it afterwards, once."""
    path = commands.folder / "events.log"
    path.mkdir()
    commands.broker({"type": "file", "path": str(path), "delivery": {"spool": "waiting"}})
    done = commands.run("publish", "--timeout", "1", commands.events({"n": 0}, {"n": 1}))
    assert "2 pending" in done.out
    assert "is a folder; name a file" in done.err
    path.rmdir()
    done = commands.run("publish", commands.events({"n": 2}))
    assert (done.code, done.out) == (0, closing_line(3, 3))
    assert numbers(path) == [0, 1, 2]


def test_a_real_rasa_writes_through_the_adapter(file: Path) -> None:
    """A section of its file broker, with the two lines changed that lead to us."""
    section = file.with_name("endpoints.yml")
    section.write_text(
        f"event_broker:\n  type: {RASA_TYPE}\n  broker_type: file\n  path: {file}\n",
        encoding="utf-8",
    )

    async def publish_as_rasa_does() -> None:
        broker = await RasaEventBroker.from_endpoint_config(EndpointConfig(**read_yaml(section)))
        assert broker is not None
        broker.publish({"sender_id": "a", "event": "user", "n": 0})
        await broker.close()

    asyncio.run(publish_as_rasa_does())
    (line,) = read_lines(file)
    assert (json.loads(line.body)["n"], line.type) == (0, "user")


def test_every_line_is_read_by_json_alone(file: Path) -> None:
    """Whoever reads Rasa's event log reads this one: a JSON object a line."""
    batch = events(0, 20, text="żółw\u2028\r\n")
    publish(file, batch)
    assert [json.loads(text)["n"] for text in read_texts(file)] == list(range(20))
    with file.open(encoding="utf-8") as reading:
        assert [json.loads(line)["text"] for line in reading] == ["żółw\u2028\r\n"] * 20
