"""`event-brokers plugins new`: which names it takes, where it writes, and what must not differ."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from command import Commands
from event_brokers.cli import new_plugin
from event_brokers.options import describe
from event_brokers.plugins import DISTRIBUTIONS
from wheels import ROOT, read_project

PROGRAMS = Path(sys.executable).parent
FORMS = [[], ["--asyncio"], ["--consume"], ["--asyncio", "--consume"]]
NAMES = ["x", "my-own_broker-2", "a" * new_plugin.LONGEST_NAME]
TABLE = "|---|---|---|---|\n"


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment to its end."""
    program, *arguments = command
    return subprocess.run(
        [str(PROGRAMS / program), *arguments],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("form", FORMS, ids=" ".join)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_length_gives_the_same_style(
    commands: Commands, name: str, form: list[str]
) -> None:
    """Nothing of the template's own name is left, and no line becomes too long or too short."""
    done = commands.run("plugins", "new", name, *form, "--folder", "written")
    assert (done.code, done.err) == (0, "")
    folder = commands.folder / "written"
    checked = run("ruff", "check", ".", "--no-cache", folder=folder)
    assert checked.returncode == 0, checked.stdout
    formatted = run("ruff", "format", "--check", ".", "--no-cache", folder=folder)
    assert formatted.returncode == 0, formatted.stdout
    for path in folder.rglob("*"):
        assert new_plugin.PLACEHOLDER not in str(path)
        if path.is_file():
            assert new_plugin.PLACEHOLDER not in path.read_text(encoding="utf-8")


def test_a_distribution_is_named_after_its_type(commands: Commands) -> None:
    """The folder, the distribution, the package, the entry point, and every file in the listing."""
    document = commands.run("plugins", "new", "my_own", "--consume", "--json").document
    assert document["folder"] == "event-brokers-my-own"
    folder = commands.folder / document["folder"]
    written = {path for path in folder.rglob("*") if path.is_file()}
    assert {commands.folder / name for name in document["files"]} == written
    project = read_project(folder)
    assert project["name"] == "event-brokers-my-own"
    assert project["entry-points"] == {
        "event_brokers": {"my_own": "event_brokers_my_own.hooks:plugin"}
    }
    names = {path.relative_to(folder).as_posix() for path in written}
    assert {"LICENSE", "README.md", ".github/workflows/checks.yml"} <= names
    assert {"src/event_brokers_my_own/py.typed", "tests/test_conformance.py"} <= names


@pytest.mark.parametrize("is_asyncio", [False, True], ids=["blocking", "asyncio"])
@pytest.mark.parametrize("consumes", [False, True], ids=["publishes", "consumes"])
def test_an_option_brings_what_it_says(
    commands: Commands, is_asyncio: bool, consumes: bool
) -> None:
    """A loop on a thread, and the hook `consume`; the other modules are the same."""
    words = ["--asyncio"] * is_asyncio + ["--consume"] * consumes
    commands.run("plugins", "new", "own", *words)
    package = commands.folder / "event-brokers-own" / "src" / "event_brokers_own"
    client = (package / "client.py").read_text(encoding="utf-8")
    hooks = (package / "hooks.py").read_text(encoding="utf-8")
    assert ("LoopThread" in client) is is_asyncio
    assert ("ConsumingHooks" in hooks) is consumes
    assert (package / "consumer.py").exists() is consumes


def test_the_readme_lists_the_options_that_there_are(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is typed once, in the template, and is the one that the class describes."""
    commands.run("plugins", "new", "tabled")
    folder = commands.folder / "event-brokers-tabled"
    monkeypatch.syspath_prepend(str(folder / "src"))
    from event_brokers_tabled.options import (  # type: ignore[import-not-found]  # noqa: PLC0415
        BrokerOptions,
    )

    readme = (folder / "README.md").read_text(encoding="utf-8")
    rows = readme.partition(TABLE)[2].partition("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    listed = {name.strip("`"): (kind, text) for name, kind, _, text in cells}
    described = {each.name: (each.type, each.text) for each in describe(BrokerOptions)}
    assert listed.keys() == described.keys()
    for name, (kind, text) in described.items():
        assert listed[name][0] == kind
        assert listed[name][1].startswith(text)


def test_its_workflow_is_one_that_github_reads_and_gives_nothing_away(commands: Commands) -> None:
    """Held by the same schema and the same audit as ours, with the same versions of actions."""
    commands.run("plugins", "new", "own")
    folder = commands.folder / "event-brokers-own"
    workflow = ".github/workflows/checks.yml"
    schema = ["--builtin-schema", "vendor.github-workflows"]
    checked = run("check-jsonschema", *schema, workflow, folder=folder)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    audited = run("zizmor", "--offline", "--no-progress", ".github", folder=folder)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    ours = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / ".github/workflows").glob("*.yml")
    )
    jobs = yaml.safe_load((folder / workflow).read_text(encoding="utf-8"))["jobs"]
    used = {step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step}
    assert used
    assert all(action in ours for action in used)


@pytest.mark.parametrize(
    "name", ["", "2fast", "Own", "own broker", "own.broker", "-own", "own-", "own__broker", "ö",
             "../own", "a" * (new_plugin.LONGEST_NAME + 1)],
)  # fmt: skip
def test_what_cannot_be_a_type_is_refused(commands: Commands, name: str) -> None:
    """In a sentence that says which names can be; nothing is written."""
    done = commands.run("plugins", "new", "--", name)
    assert (done.code, done.out) == (64, "")
    assert done.err.startswith(
        f"Error: '{name}' cannot be a type; take up to 40 lower-case letters"
    )
    assert not [path for path in commands.folder.iterdir() if "event-brokers" in path.name]


@pytest.mark.parametrize("name", sorted(DISTRIBUTIONS))
def test_the_type_of_a_plugin_that_there_is_is_refused(commands: Commands, name: str) -> None:
    """Two distributions of one type could never be installed side by side."""
    done = commands.run("plugins", "new", name)
    assert (done.code, done.err) == (
        64, f"Error: '{name}' is the type of {DISTRIBUTIONS[name]}; take another name\n",
    )  # fmt: skip


def test_nothing_is_written_over(commands: Commands) -> None:
    """A folder in which something is stays as it is."""
    folder = commands.folder / "event-brokers-own"
    folder.mkdir()
    (folder / "README.md").write_text("mine", encoding="utf-8")
    done = commands.run("plugins", "new", "own")
    assert (done.code, done.out) == (64, "")
    assert done.err == (
        "Error: 'event-brokers-own' is not empty; name another folder with --folder\n"
    )
    assert [path.name for path in folder.iterdir()] == ["README.md"]


def test_a_folder_that_cannot_be_made_is_a_sentence(commands: Commands) -> None:
    """What the operating system says, and no traceback."""
    (commands.folder / "file").write_text("", encoding="utf-8")
    done = commands.run("plugins", "new", "own", "--folder", "file/own")
    assert (done.code, done.err) == (64, "Error: 'file/own' cannot be written: not a directory\n")
