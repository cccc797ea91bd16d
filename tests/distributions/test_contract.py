"""What plugins and applications rely on changes only with a line in the changelog.

`scripts/write_contract.py` holds the sources against the contract of the version that stands in
core/pyproject.toml; here on a copy of them, in which each kind of change is made.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wheels import ROOT, VERSION

CORE = Path("core/src/event_brokers")
HELD = ("CHANGELOG.md", "core/pyproject.toml", "tests/data/contract.txt")


def check(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Hold the contract against the sources below a folder."""
    command = [sys.executable, str(ROOT / "scripts" / "write_contract.py"), *options]
    return subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with the core's sources, in which nothing has changed yet."""
    shutil.copytree(ROOT / CORE, tmp_path / CORE, ignore=shutil.ignore_patterns("__pycache__"))
    for name in HELD:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def change(file: Path, before: str, after: str) -> None:
    """Change a text that a file holds once."""
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1, before
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_what_has_changed_stands_in_the_changelog() -> None:
    """A hook's signature, an exported name, an error class, and what each of them has."""
    checked = check(ROOT, "--check")
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("module", "before", "after", "name", "what"),
    [
        ("hookspecs.py", "def check(options: Any)", "def check(options: Any, used: set[str])",
         "event_brokers.hookspecs.check", "has changed"),
        ("hookspecs.py", "def close(connection: Any)", "def shut(connection: Any)",
         "event_brokers.hookspecs.shut", "is new"),
        ("hookspecs.py", "def close(connection: Any)", "def shut(connection: Any)",
         "event_brokers.hookspecs.close", "is gone"),
        ("hookspecs.py", "-> Sequence[str]:", "-> list[str]:",
         "event_brokers.hookspecs.check", "has changed"),
        ("__init__.py", '    "Status",\n    "UndeliveredEvents",\n', '    "UndeliveredEvents",\n',
         "event_brokers.Status", "is gone"),
        ("plugin/__init__.py", '    "watch_fork",\n]', "]",
         "event_brokers.plugin.watch_fork", "is gone"),
        ("plugin/network.py", "def connection_problem(", "def problem_of_connection(",
         "event_brokers.plugin.network.connection_problem", "is gone"),
        ("plugin/loop_thread.py", "Any, _Result], timeout: float)", "Any, _Result], timeout: int)",
         "event_brokers.plugin.loop_thread.LoopThread.run", "has changed"),
        ("errors.py", "class QueueFull(EventBrokersError)", "class QueueFull(PublishError)",
         "event_brokers.QueueFull", "has changed"),
        ("errors.py", "        reconnect: bool = False,\n", "        reconnect: bool = True,\n",
         "event_brokers.RejectedEvents.__init__", "has changed"),
        ("event.py", "    sender_id: str | None = None\n", "    sender_id: str = ''\n",
         "event_brokers.Event.sender_id", "has changed"),
        ("secret.py", "    def reveal(self)", "    def shown(self)",
         "event_brokers.Secret.reveal", "is gone"),
    ],
)  # fmt: skip
def test_a_change_without_a_line_is_named(  # noqa: PLR0913, PLR0917 - one argument a column
    copy: Path, module: str, before: str, after: str, name: str, what: str
) -> None:
    """With the line that is missing; once it is there, the change may be made."""
    assert check(copy, "--check").returncode == 0
    change(copy / CORE / module, before, after)
    checked = check(copy, "--check")
    assert checked.returncode == 1
    problems = checked.stderr.splitlines()
    assert any(
        line.startswith(f"{name} {what}, and CHANGELOG.md does not say") for line in problems
    )
    lines = "".join(f"\n- `{problem.split()[0]}`: changed.\n" for problem in problems)
    change(copy / "CHANGELOG.md", "## [Unreleased]\n", f"## [Unreleased]\n{lines}")
    assert check(copy, "--check").returncode == 0


def test_the_line_of_what_is_new_tells_of_all_that_is_in_it(copy: Path) -> None:
    """Of a module as of a class; the line of what was there before tells of itself alone."""
    module = copy / CORE / "plugin" / "signing.py"
    module.write_text("class Signature:\n    key: str\n    def sign(self) -> str: ...\n", "utf-8")
    change(copy / CORE / "secret.py", "    def reveal(self)", "    def shown(self)")
    assert len(check(copy, "--check").stderr.splitlines()) == 5
    lines = "\n- `event_brokers.plugin.signing`: signs.\n- `event_brokers.Secret`: changed.\n"
    change(copy / "CHANGELOG.md", "## [Unreleased]\n", f"## [Unreleased]\n{lines}")
    problems = [line.split(", ")[0] for line in check(copy, "--check").stderr.splitlines()]
    assert problems == [
        "event_brokers.Secret.reveal is gone",
        "event_brokers.Secret.shown is new",
    ]


def test_what_is_private_may_change(copy: Path) -> None:
    """A docstring, a body, and a name that begins with an underscore."""
    change(copy / CORE / "errors.py", "The EventBroker was closed;", "It was closed;")
    change(copy / CORE / "plugin" / "network.py", "_ADDRESS = re", "_PLACE = _ADDRESS = re")
    assert check(copy, "--check").returncode == 0


def test_a_line_of_an_older_version_does_not_count(copy: Path) -> None:
    """What was said of another change is nothing about this one."""
    change(copy / CORE / "hookspecs.py", "def check(options: Any)", "def check(options: object)")
    changelog = (
        "## [Unreleased]\n\n## [0.0.9] - 2026-01-01\n\n- `event_brokers.hookspecs.check`: x\n"
    )
    (copy / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    assert "event_brokers.hookspecs.check has changed" in check(copy, "--check").stderr


def test_the_contract_is_written_once_a_version(copy: Path) -> None:
    """So a change cannot be hidden by writing it anew; after a bump it can, and must."""
    change(copy / CORE / "hookspecs.py", "def check(options: Any)", "def check(options: object)")
    assert check(copy).stdout == f"the contract of {VERSION} is written already\n"
    assert "event_brokers.hookspecs.check has changed" in check(copy, "--check").stderr
    change(copy / "core" / "pyproject.toml", f'version = "{VERSION}"', 'version = "9.0.0"')
    assert f"is of {VERSION}; run scripts/write_contract.py" in check(copy, "--check").stderr
    assert check(copy).returncode == 0
    assert check(copy, "--check").returncode == 0
