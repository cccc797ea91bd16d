"""Consuming from a file: through rotations, by groups whose positions outlive a kill."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import event_brokers
from consuming import in_background, number, until_killed
from event_brokers import ConfigurationError, Consumer, Event, ReceivedEvent
from event_brokers_file import consumer as module
from event_brokers_file.connection import Connection
from event_brokers_file.line import to_line
from event_brokers_file.options import FileOptions
from event_brokers_file.position import GroupPosition, Position
from event_brokers_file.source import GzipSource, read_lines
from waiting import wait_until


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a file that is missing, in a folder of its own."""
    folder = tmp_path / "log"
    folder.mkdir()
    return folder / "events.log"


def publish(file: Path, first: int, last: int, **options: Any) -> None:
    """Publish numbered events."""
    connection = Connection(FileOptions(path=str(file), **options), set())
    connection.publish([Event.from_dict({"n": number}) for number in range(first, last)])
    connection.close()


def section(file: Path) -> dict[str, Any]:
    """Return the section of a consumer."""
    return {"type": "file", "path": str(file)}


def consume(file: Path, group: str = "g") -> Consumer:
    """Consume from the start."""
    return event_brokers.consume(section(file), group, from_start=True)


def numbers(consumer: Iterator[ReceivedEvent], count: int) -> list[int]:
    """Return the numbers of the next events."""
    return [number(next(consumer)) for _ in range(count)]


def has_passed(received: Iterator[ReceivedEvent | None], turns: int = 4) -> bool:
    """Return whether nothing comes in some turns."""
    return all(next(received) is None for _ in range(turns))


# rotations


@pytest.mark.parametrize("compress", [False, True])
def test_a_consumer_follows_through_rotations(file: Path, compress: bool) -> None:
    """While it works, and where it was closed meanwhile."""
    options = {"rotate": "size", "rotate_bytes": 300, "compress": compress}
    publish(file, 0, 20, **options)
    with consume(file) as consumer:
        assert numbers(consumer, 10) == list(range(10))
        found = in_background(consumer)
        publish(file, 20, 40, **options)
        wait_until(lambda: found == list(range(10, 40)))
    publish(file, 40, 60, **options)
    with consume(file) as consumer:
        assert numbers(consumer, 20) == list(range(40, 60))


def test_the_file_of_a_position_is_known_again_whatever_its_name(file: Path) -> None:
    """It was rotated and compressed while the group slept."""
    publish(file, 0, 5)
    with consume(file) as consumer:
        numbers(consumer, 3)
    publish(file, 5, 7, rotate="size", rotate_bytes=1, compress=True)
    assert not file.with_name("events.log.1").exists()
    with consume(file) as consumer:
        assert numbers(consumer, 5) == [2, 3, 4, 5, 6]


def test_files_that_were_deleted_unread_are_told(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`keep` deletes what is old, read or not: the consumer goes on with what is left."""
    publish(file, 0, 2, rotate="size", rotate_bytes=1)
    with consume(file) as consumer:
        assert numbers(consumer, 2) == [0, 1]
    publish(file, 2, 9, rotate="size", rotate_bytes=1, keep=2)
    with consume(file) as consumer:
        assert numbers(consumer, 3) == [6, 7, 8]
    assert "is gone; begins at the start of the oldest file that is not older" in caplog.text


def test_files_that_were_deleted_under_a_consumer_are_told(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The one that it reads it still has; those behind it are gone."""
    publish(file, 0, 2)
    received = module.consume(FileOptions(path=str(file)), None, True)
    assert number(next(received)) == 0
    publish(file, 2, 9, rotate="size", rotate_bytes=1, keep=2)
    assert [number(each) for each in (next(received) for _ in range(9)) if each] == [1, 6, 7, 8]
    assert "files before" in caplog.text
    assert "were deleted unread" in caplog.text


def test_numbers_that_begin_anew_lose_nothing(file: Path) -> None:
    """Somebody has deleted everything that was rotated: what is new has low numbers again."""
    publish(file, 0, 4, rotate="size", rotate_bytes=1)
    with consume(file) as consumer:
        assert numbers(consumer, 4) == [0, 1, 2, 3]
    for path in file.parent.glob("events.log.[0-9]*"):
        path.unlink()
    publish(file, 4, 6, rotate="size", rotate_bytes=1)
    with consume(file) as consumer:
        assert numbers(consumer, 3) == [3, 4, 5]


def test_a_file_that_was_emptied_is_read_from_its_start(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether it is shorter than the position, or has grown beyond it again."""
    publish(file, 0, 3)
    with consume(file) as consumer:
        assert numbers(consumer, 3) == [0, 1, 2]
        found = in_background(consumer)
        os.truncate(file, 0)
        publish(file, 3, 4)
        wait_until(lambda: found == [3])
        assert "was emptied or replaced; begins at its start" in caplog.text
        file.write_bytes(b"".join(b'{"n":%d, "text": "other"}\n' % n for n in range(4, 20)))
        wait_until(lambda: found == list(range(3, 20)))


def test_a_file_that_was_deleted_and_made_anew_is_followed(file: Path) -> None:
    """Nothing in it is skipped for its name."""
    publish(file, 0, 2)
    with consume(file) as consumer:
        assert numbers(consumer, 2) == [0, 1]
        found = in_background(consumer)
        file.unlink()
        publish(file, 2, 5)
        wait_until(lambda: found == [2, 3, 4])


def test_a_file_that_is_not_there_yet_is_waited_for(file: Path) -> None:
    """What is written first is new to a group that began before."""
    with event_brokers.consume(section(file), "g") as consumer:
        found = in_background(consumer)
        wait_until(lambda: any(kept.stat().st_size for kept in file.parent.glob("*.positions/*")))
        publish(file, 0, 2)
        wait_until(lambda: found == [0, 1])


def test_a_link_is_followed(file: Path, tmp_path: Path) -> None:
    """To the rotated files, which stand beside what it leads to."""
    link = tmp_path / "link.log"
    link.symlink_to(file)
    publish(link, 0, 5, rotate="size", rotate_bytes=1)
    with consume(link) as consumer:
        assert numbers(consumer, 5) == [0, 1, 2, 3, 4]


# lines


def test_half_a_line_is_waited_for_and_never_received(file: Path) -> None:
    """Whether it is finished, or cut off and written by another one."""
    received = module.consume(FileOptions(path=str(file)), None, True)
    publish(file, 0, 1)
    with file.open("ab") as writing:
        writing.write(b'{"n":1,"text":"never finished')
    assert number(next(received)) == 0
    assert has_passed(received)
    publish(file, 2, 3)
    assert number(next(received)) == 2
    half, rest = b'{"n":3,', b'"x":0}\n'
    with file.open("ab", buffering=0) as writing:
        writing.write(half)
        assert has_passed(received)
        writing.write(rest)
    assert number(next(received)) == 3


def test_what_is_no_event_is_received_with_the_reason(file: Path) -> None:
    """Somebody else's lines, whatever they are; blank ones are none."""
    file.write_bytes(b'no JSON\n\n[1]\n\xff\xfe\n{"n":1}\n   \n{"n":2}\n')
    with consume(file) as consumer:
        received = [next(consumer) for _ in range(6)]
    assert [each.body for each in received] == [
        b"no JSON", b"[1]", b"\xff\xfe", b'{"n":1}', b"   ", b'{"n":2}',
    ]  # fmt: skip
    assert [each.problem for each in received] == [
        "not JSON", "JSON, but a list and no object", "not JSON", None, "not JSON", None,
    ]  # fmt: skip
    assert received[2].origin == "file 'events.log', byte 13"


def test_the_end_of_a_rotated_file_may_lack_its_line_end(file: Path) -> None:
    """A whole object counts; half of one is nobody's event."""
    file.with_name("events.log.1").write_bytes(b'{"n":0}\n{"n":1}')
    file.with_name("events.log.2").write_bytes(b'{"n":2}\n{"n":')
    file.write_bytes(b'{"n":3}\n')
    with consume(file) as consumer:
        assert numbers(consumer, 4) == [0, 1, 2, 3]


def test_a_last_line_without_an_end_is_received_once(file: Path) -> None:
    """Somebody else has written it, and moved the file under a consumer."""
    file.write_bytes(b'{"n":0}\n{"n":1}')
    received = module.consume(FileOptions(path=str(file)), "g", True)
    assert number(next(received)) == 0
    assert has_passed(received)
    file.rename(file.with_name("events.log.1"))
    file.write_bytes(b'{"n":2}\n')
    assert [number(wait_until(lambda: next(received))) for _ in range(2)] == [1, 2]
    received.close()  # type: ignore[attr-defined]
    with consume(file) as consumer:
        assert numbers(consumer, 1) == [2]


@pytest.mark.parametrize("text", ["x" * 3_000_000, "é"], ids=["long", "short"])
def test_a_line_of_any_length_is_received(file: Path, text: str) -> None:
    """Plain and compressed."""
    event = Event.from_dict({"n": 0, "text": text})
    for name, pack in (("events.log.1.gz", gzip.compress), ("events.log", bytes)):
        file.with_name(name).write_bytes(pack(to_line(event, True)))
    with consume(file) as consumer:
        received = [next(consumer) for _ in range(2)]
    assert [each.body for each in received] == [event.body] * 2


def test_a_compressed_file_is_read_from_any_place(file: Path) -> None:
    """Forwards and back, also where it was packed in several pieces."""
    lines = [b"%d " % number + os.urandom(100).hex().encode() for number in range(5000)]
    plain = b"".join(line + b"\n" for line in lines)
    path = file.with_name("events.log.1.gz")
    path.write_bytes(gzip.compress(plain[:400_000]) + gzip.compress(plain[400_000:]))
    source = GzipSource(path)
    found: list[bytes] = []
    offset = 0
    while some := read_lines(source, offset):
        found += some
        offset += sum(len(line) + 1 for line in some)
    assert found == lines
    assert source.read(10, 50) == plain[10:60]
    assert source.read(len(plain) - 5, 50) == plain[-5:]
    source.close()


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b'{"n":1}\n' * 9, mtime=0)[:-9]],
    ids=["another format", "cut off"],
)
def test_a_damaged_archive_is_said_and_not_skipped(file: Path, content: bytes) -> None:
    """A person has to say what becomes of it."""
    publish(file, 1, 2)
    archive = file.with_name("events.log.1.gz")
    archive.write_bytes(content)
    with consume(file) as consumer, pytest.raises(ConfigurationError) as caught:
        numbers(consumer, 20)
    assert f"'{archive}' is no gzip, or damaged; repair it, or move it" in str(caught.value)


# groups


def test_a_killed_consumer_loses_and_repeats_nothing_but_what_was_in_its_hand(file: Path) -> None:
    """Its position is kept with each acknowledgement, and its group is free at once."""
    publish(file, 0, 10)
    assert until_killed(section(file), 4) == [0, 1, 2, 3]
    with event_brokers.consume(section(file), from_start=True) as consumer:
        assert numbers(consumer, 7) == [3, 4, 5, 6, 7, 8, 9]


def test_one_consumer_of_a_group_works_and_the_others_stand_by(file: Path) -> None:
    """They take over when it is closed; another group and `tail` are not concerned."""
    publish(file, 0, 4)
    options = FileOptions(path=str(file))
    first, second = (module.consume(options, "g", True) for _ in range(2))
    assert [number(next(first)) for _ in range(2)] == [0, 1]
    assert has_passed(second)
    assert number(next(module.consume(options, "other", True))) == 0
    assert number(next(module.consume(options, None, True))) == 0
    first.close()  # type: ignore[attr-defined]
    received = wait_until(lambda: next(second))
    assert number(received) == 1


@pytest.mark.parametrize("group", ["..", "/etc/passwd", "żółw " * 60, ".", "a/b\0c", "G", "g"])
def test_any_name_of_a_group_is_taken(file: Path, group: str) -> None:
    """And leads nowhere else."""
    publish(file, 0, 2)
    for expected in (0, 1):
        with consume(file, group) as consumer:
            assert numbers(consumer, 1 + expected)[-1] == expected
    (kept,) = file.with_name("events.log.positions").iterdir()
    assert kept.parent.parent == file.parent
    assert kept.stat().st_mode & 0o777 == 0o600


def test_looking_on_leaves_nothing_beside_the_file(file: Path) -> None:
    """Without a group no position is kept."""
    publish(file, 0, 1)
    assert number(next(module.consume(FileOptions(path=str(file)), None, True))) == 0
    assert [path.name for path in file.parent.iterdir()] == ["events.log"]


def test_a_position_outlives_a_record_that_was_half_written(file: Path) -> None:
    """The one before it counts, whichever of the two places was hit."""
    kept = GroupPosition(file, "g")
    positions = [Position(1, offset, offset, offset) for offset in range(10)]
    (path,) = file.with_name("events.log.positions").iterdir()
    for before, position in pairwise(positions):
        kept.write(before)
        kept.write(position)
        whole = path.read_bytes()
        begin = whole.index(b'"offset":%d,' % position.offset) // 512 * 512
        for torn in (0, 20, 200):
            path.write_bytes(whole[: begin + torn] + bytes(512 - torn) + whole[begin + 512 :])
            assert kept.read() == before
        path.write_bytes(whole)
        assert kept.read() == position
    kept.close()


def test_a_position_is_flushed_to_the_disk(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once where nothing comes, and not with each event."""
    flushed: list[int] = []
    publish(file, 0, 50)
    received = module.consume(FileOptions(path=str(file)), "g", True)
    monkeypatch.setattr(module, "_SYNC_SECONDS", 0)
    next(received)
    monkeypatch.setattr(os, "fsync", flushed.append)
    for _ in range(49):
        next(received)
    assert flushed == []
    assert next(received) is None
    assert next(received) is None
    assert len(flushed) == 1
    received.close()  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_keep_the_group(file: Path) -> None:
    """The parent's end frees it, whatever its children still do."""
    publish(file, 0, 2)
    with consume(file) as consumer:
        assert numbers(consumer, 1) == [0]
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.read(read, 1)
            os._exit(0)
    with consume(file) as consumer:
        assert numbers(consumer, 2) == [0, 1]
    os.close(write)
    os.close(read)
    os.kill(child, 9)
    os.waitpid(child, 0)


def test_a_missing_folder_is_said_in_a_sentence(file: Path) -> None:
    """As for publishing."""
    consumer = consume(file.parent / "no" / "events.log")
    with pytest.raises(ConfigurationError, match="does not exist; make it first"):
        next(consumer)


READER = """
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    next(consume(FileOptions(path=sys.argv[1]), "g", True))
except ConfigurationError as error:
    print(error)
print(next(consume(FileOptions(path=sys.argv[1]), None, True)).event)
"""
IMPORTS = """
from event_brokers import ConfigurationError, ReceivedEvent
from event_brokers_file.consumer import consume
from event_brokers_file.options import FileOptions
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_may_only_read_can_look_on() -> None:
    """A group needs a place for its position, and says so."""
    folder = Path("/tmp") / f"read-only-{os.getpid()}"
    folder.mkdir(mode=0o755)
    path = folder / "events.log"
    try:
        publish(path, 0, 1)
        path.chmod(0o644)
        ended = subprocess.run(
            [sys.executable, "-c", IMPORTS + READER, str(path)],
            capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
    finally:
        shutil.rmtree(folder)
    assert ended.stderr == ""
    refused, looked = ended.stdout.splitlines()
    assert refused == (
        f"event_broker.path: the position of group 'g' cannot be kept in '{path}.positions': "
        "permission denied; let this user write there"
    )
    assert looked == "{'n': 0}"
