"""`scripts/demo` shows what it says, and leaves running only what it was asked to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from waiting import wait_until
from wheels import ROOT

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder that looks like a clone in which everything is installed."""
    for name in ("scripts", "examples"):
        (tmp_path / name).mkdir()
    for file in [*ROOT.glob("scripts/*"), *ROOT.glob("examples/**/*")]:
        copy = tmp_path / file.relative_to(ROOT)
        if file.is_dir() or file.suffix in (".db", ".pyc"):
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
        copy.chmod(file.stat().st_mode)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def demo(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end."""
    return subprocess.run(
        ["scripts/demo", *words],
        cwd=clone, check=False, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"},
    )  # fmt: skip


def test_the_demo_holds_a_conversation_and_shows_its_events(clone: Path) -> None:
    """The bot answers, the closing line counts, and the table has what was said."""
    run = demo(clone)
    assert (run.returncode, run.stderr) == (0, "")
    assert "bot> Thank you, Ada. A table for 4 is booked." in run.stdout
    counted = re.search(r"(\d+) accepted, (\d+) delivered, 0 pending, 0 dead letters", run.stdout)
    assert counted is not None
    assert counted[1] == counted[2]
    assert f"  {counted[1]}  guest-7" in run.stdout
    assert '"a table for 4, please"' in run.stdout


def test_the_demo_can_leave_the_assistant_running(clone: Path) -> None:
    """It says at which URL, where the live page is, and how to end it."""
    run = demo(clone, "--serve")
    assert run.returncode == 0
    server = psutil.Process(int(run.stdout.rsplit("kill ", 1)[1]))
    try:
        url = re.search(r"go on at (http://\S+)", run.stdout)
        assert url is not None
        again = subprocess.run(
            [sys.executable, "examples/talk.py", url[1], "hello"],
            cwd=clone, check=True, capture_output=True, text=True,
        )  # fmt: skip
        assert "bot> Hello!" in again.stdout
        page = re.search(r"The live page is at (http://\S+)", run.stdout)
        assert page is not None
        with urlopen(f"{page[1]}api/stream", timeout=20) as answered:
            assert '"place":"type sql, dialect sqlite, db events.db' in answered.read().decode()
    finally:
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)


def test_the_demo_refuses_what_it_does_not_know(clone: Path) -> None:
    """In a sentence."""
    run = demo(clone, "--server")
    assert (run.returncode, run.stderr) == (
        1, "demo: unknown argument '--server'; give --serve or nothing\n",
    )  # fmt: skip
