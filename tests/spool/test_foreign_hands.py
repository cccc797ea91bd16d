"""A folder that somebody else prepared: nothing in it is used, and nothing outside is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from event_brokers import ConfigurationError
from event_brokers.condition import Condition, State
from event_brokers.errors import SpoolError
from spools import an_event, drain, open_spool

SOMEBODY = 4711  # a user that nobody is
PRECIOUS = b"precious"
FILES = ("commit.lock", "delivery.lock", "data/events.db", "data/events.db-wal",
         "data/events.db-shm", "ballast")  # fmt: skip


def a_spool(folder: Path) -> Path:
    """Return the folder of a spool with one event, as a killed process leaves it."""
    spool = open_spool(folder)
    spool.append([an_event(1)], 0)
    assert spool.right.acquire()
    spool.right.release()
    spool.close()
    return folder


def others_may_write(path: Path) -> None:
    """Let everybody change it."""
    path.chmod(0o777 if path.is_dir() else 0o666)


def its_group_may_write(path: Path) -> None:
    """Let the group change it."""
    path.chmod(0o770 if path.is_dir() else 0o660)


def it_is_somebody_elses(path: Path) -> None:
    """Give it to another user."""
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    os.chown(path, SOMEBODY, -1)


@pytest.mark.parametrize("place", ["", "data", "data/events.db", "commit.lock"])
@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (others_may_write, "can be changed by other users"),
        (its_group_may_write, "can be changed by other users"),
        (it_is_somebody_elses, "belongs to another user"),
    ],
)
def test_what_others_can_change_is_refused(
    tmp_path: Path, place: str, prepare: Callable[[Path], None], sentence: str
) -> None:
    """In a sentence that names the option and the place; taking the right away is enough."""
    folder = a_spool(tmp_path / "spool")
    prepare(folder / place)
    with pytest.raises(ConfigurationError) as caught:
        open_spool(folder)
    assert str(caught.value).startswith(f"event_broker.delivery.spool: '{folder / place}'")
    assert sentence in str(caught.value)
    os.chown(folder / place, os.geteuid(), -1)
    (folder / place).chmod(0o700 if (folder / place).is_dir() else 0o600)
    spool = open_spool(folder)
    assert drain(spool) == [an_event(1)]
    spool.close()


def test_others_may_look_into_the_folder(tmp_path: Path) -> None:
    """Whoever made it with the usual rights, 0755, has made no mistake."""
    (tmp_path / "spool").mkdir(mode=0o755)
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(1)], 0)
    assert drain(spool) == [an_event(1)]
    spool.close()


def test_a_link_to_the_folder_is_the_users_choice(tmp_path: Path) -> None:
    """Such as one to a larger disk."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "spool").symlink_to(tmp_path / "elsewhere")
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(1)], 0)
    assert drain(spool) == [an_event(1)]
    spool.close()


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("is_new", [True, False], ids=["a new spool", "a used one"])
def test_a_link_is_never_followed(tmp_path: Path, file: str, is_new: bool) -> None:
    """What it leads to stays as it is; the sentence names the link where it is in the way."""
    precious = tmp_path / "precious"
    precious.write_bytes(PRECIOUS)
    folder = tmp_path / "spool"
    (folder / "data").mkdir(parents=True, mode=0o700) if is_new else a_spool(folder)
    folder.chmod(0o700)
    (folder / file).unlink(missing_ok=True)
    (folder / file).symlink_to(precious)
    said = use(folder)
    assert precious.read_bytes() == PRECIOUS
    assert f"'{folder / file}' is a link" in said


def use(folder: Path) -> str:
    """Use a spool as a delivery does; return what it was refused with."""
    try:
        spool = open_spool(folder)
    except ConfigurationError as error:
        return str(error)
    try:
        spool.append([an_event(2)], 0)
        spool.right.acquire()
        spool.right.note(Condition(State.CONNECTED))
        spool.right.condition()
    except SpoolError as error:
        return str(error)
    finally:
        spool.close()
    return ""


def test_a_data_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """It moves when it is damaged."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "spool").mkdir(mode=0o700)
    (tmp_path / "spool" / "data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="is a link"):
        open_spool(tmp_path / "spool")
    assert list((tmp_path / "elsewhere").iterdir()) == []
