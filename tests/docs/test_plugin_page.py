"""docs/plugins.md says what the contract says, and its commands and its distribution work.

Python and YAML are run by test_documents.py as well; the plugins that the page shows are held
against the conformance kit by test_plugins_of_the_page.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import plugin_page
from environments import Environment
from event_brokers import hookspecs
from wheels import FOLDERS, ROOT, build_wheel

pytestmark = [pytest.mark.xdist_group("wheels"), pytest.mark.timeout(900)]

LONGEST_PLUGIN = 70  # lines of code that a whole plugin of the page may have


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment such as the page's reader has: pip, the core, its command line, its kit."""
    core = build_wheel(FOLDERS["event-brokers"], tmp_path_factory.mktemp("core"))
    folder = tmp_path_factory.mktemp("author") / "environment"
    return Environment.made(folder, "pip", f"{core}[cli,testing]")


def test_the_contract_is_the_one_in_the_docstrings() -> None:
    """Included and not retyped: the script that includes it has nothing to do."""
    command = [sys.executable, str(ROOT / "scripts" / "write_plugin_page.py"), "--check"]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    text = plugin_page.PAGE.read_text(encoding="utf-8")
    hooks = [name for name, hook in vars(hookspecs).items() if hasattr(hook, "event_brokers_spec")]
    assert set(hooks) == {"connect", "publish", "close", "options", "check", "consume"}
    for name in hooks:
        assert f"<!-- contract: event_brokers.hookspecs.{name} -->\n\n`{name}(" in text


@pytest.mark.parametrize("name", ["lines", "webhook", "relay"])
def test_a_whole_plugin_is_short(name: str) -> None:
    """What a stranger writes in an hour, with options, TLS and errors in words."""
    (text, *_) = plugin_page.blocks(f"src/event_brokers_{name}/__init__.py")
    code = [line for line in text.splitlines() if re.match(r"\s*[^\s#]", line)]
    assert len(code) <= LONGEST_PLUGIN


def test_every_file_of_the_page_is_one_of_its_plugins() -> None:
    """No block is left that nothing runs."""
    text = plugin_page.PAGE.read_text(encoding="utf-8")
    files = re.findall(r"^```python\n# (\S+)$", text, re.MULTILINE)
    assert len(files) == text.count("```python\n")
    assert set(files) == {
        *(f"src/event_brokers_{name}/__init__.py" for name in ("lines", "webhook", "relay")),
        "tests/test_conformance.py",
        "tests/test_program.py",  # run by test_documents.py
    }


def test_the_plugin_of_the_page_is_published_and_proven(
    author: Environment, tmp_path: Path
) -> None:
    """Its pyproject.toml builds; the wheel is listed, and passes the test of the page."""
    folder = tmp_path / "lines"
    plugin_page.write_distribution("lines", folder)
    author.install(str(build_wheel(folder, tmp_path / "wheel")))
    looked = author.run("event-brokers", "plugins", "check", "lines")
    assert looked.returncode == 0, looked.stdout
    (test,) = plugin_page.blocks("tests/test_conformance.py")
    test = re.sub(r"    entry_point = .*only while it is not installed\n", "", test)
    assert "entry_point" not in test
    (tmp_path / "test_conformance.py").write_text(test, encoding="utf-8")
    tested = author.run("python", "-m", "pytest", "-q", folder=tmp_path, timeout=300)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "switched off, a line has no room for an id" in tested.stdout
    assert "without break_server" in tested.stdout
    assert "without an installed distribution" not in tested.stdout


def test_the_commands_of_the_page_work_as_they_stand(author: Environment, tmp_path: Path) -> None:
    """One after the other, in one shell."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        ["bash", "-e", "-c", "\n".join(plugin_page.commands())],
        cwd=tmp_path,
        env={**variables, "PATH": f"{author.folder / 'bin'}:{variables['PATH']}"},
        check=False, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "proven" in run.stdout
