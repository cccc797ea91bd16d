"""The plugin of docs/plugins.md is copied: it keeps what it is given, on a full disk, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import event_brokers
import plugin_page
from small_disk import fill_up, small_disk
from stand_in import write_plugin
from waiting import wait_until

PAGE = 4096
FORMS = ["without options", "with options"]


def modules() -> list[str]:
    """Return the plugin as it stands first, and with the class of options that takes its place."""
    plain, options = plugin_page.blocks("src/event_brokers_lines/__init__.py")
    return [plain, f"{plain}\n{options}"]


@pytest.fixture(params=FORMS)
def installed(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Install each form of the plugin; return the folder in which it is."""
    folder, number = tmp_path / "installed", FORMS.index(request.param)
    write_plugin(folder, "lines", modules()[number], f"event-brokers-lines-{number}")
    monkeypatch.syspath_prepend(str(folder))
    return folder


def numbers(file: Path) -> list[int]:
    """Return the events that stand in a file, of which every line is one."""
    return [json.loads(line)["n"] for line in file.read_text(encoding="utf-8").splitlines()]


def event(number: int, size: int = 1500) -> dict[str, Any]:
    """Return an event of which a few fill a page."""
    return {"event": "user", "n": number, "text": "x" * size}


@pytest.mark.usefixtures("installed")
def test_what_is_published_stands_in_the_file(tmp_path: Path) -> None:
    """A line an event, behind what is there."""
    file = tmp_path / "events.jsonl"
    file.write_text('{"n": 0}\n', encoding="utf-8")
    with event_brokers.connect({"type": "lines", "path": str(file)}) as broker:
        broker.publish({"n": 1})
    assert file.read_text(encoding="utf-8") == '{"n": 0}\n{"n":1}\n'


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("left", [0, 1, 2], ids="{} pages left".format)
def test_a_full_disk_tears_no_line(tmp_path: Path, left: int) -> None:
    """A disk that takes a part of what is written holds whole lines, and all of them in the end."""
    with small_disk(tmp_path / "disk", 64 * PAGE) as disk:
        file = disk / "events.jsonl"
        with event_brokers.connect({"type": "lines", "path": str(file)}) as broker:
            broker.publish(event(0))
            assert broker.flush(60).pending == 0
            foreign = fill_up(disk, left * PAGE)
            for number in range(1, 11):
                broker.publish(event(number))
            wait_until(lambda: broker.status().state == "retrying")
            found = numbers(file)
            assert found == list(range(len(found)))
            assert broker.status().pending > 0
            foreign.unlink()
            assert broker.flush(60).pending == 0
        assert numbers(file) == list(range(11))


@pytest.mark.usefixtures("installed")
def test_a_line_that_a_kill_cut_short_is_not_glued_to_the_next(tmp_path: Path) -> None:
    """It stays what it is, on a line of its own."""
    file = tmp_path / "events.jsonl"
    file.write_text('{"n":0}\n{"event":"us', encoding="utf-8")
    with event_brokers.connect({"type": "lines", "path": str(file)}) as broker:
        broker.publish({"n": 1})
    assert file.read_text(encoding="utf-8") == '{"n":0}\n{"event":"us\n{"n":1}\n'


def test_two_programs_append_to_one_file(installed: Path, tmp_path: Path) -> None:
    """None of their lines is torn, and none lost, although the disk is full for a while."""
    program = """
import sys, event_brokers
sys.path.insert(0, sys.argv[1])
with event_brokers.connect({"type": "lines", "path": sys.argv[2]}) as broker:
    for number in range(300):
        broker.publish({"n": int(sys.argv[3]) + number, "text": "x" * 1500})
        broker.flush(0.01)
    assert broker.flush(60).pending == 0
"""
    with small_disk(tmp_path / "disk", 1024 * PAGE) as disk:
        file, foreign = disk / "events.jsonl", fill_up(disk, 20 * PAGE)
        programs = [
            subprocess.Popen([sys.executable, "-c", program, installed, file, str(first)],
                             env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
            for first in (0, 1000)
        ]  # fmt: skip
        wait_until(lambda: file.exists() and file.stat().st_size > 16 * PAGE)
        foreign.unlink()
        assert [each.wait(120) for each in programs] == [0, 0]
        found = numbers(file)
    assert sorted(set(found)) == [*range(300), *range(1000, 1300)]
    assert [n for n in dict.fromkeys(found) if n < 1000] == list(range(300))
