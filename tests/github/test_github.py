"""What stands in .github: held by schemas and linters, and run where it can run here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from wheels import FOLDERS, ROOT, VERSION, read_project

GITHUB = ROOT / ".github"
PROGRAMS = Path(sys.executable).parent
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
SCHEMAS = {
    "vendor.dependabot": "dependabot.yml",
    "vendor.github-issue-config": "ISSUE_TEMPLATE/config.yml",
    "vendor.github-issue-forms": "ISSUE_TEMPLATE/[!c]*.yml",
    "vendor.github-workflows": "workflows/*.yml",
}


def run(*command: str, folder: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with some variables more."""
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **variables},
        check=False, capture_output=True, text=True,
    )  # fmt: skip


def workflow(name: str) -> dict[str, Any]:
    """Return what a workflow says."""
    text = (GITHUB / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def matrix(job: str, name: str, *, of: str = "checks") -> list[str]:
    """Return the values of one name in a job's matrix."""
    values: list[str] = workflow(of)["jobs"][job]["strategy"]["matrix"][name]
    return values


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_file_has_the_form_that_github_reads(schema: str) -> None:
    """Workflows, forms and the dependency bot's settings, against the schemas of each."""
    files = [str(path) for path in GITHUB.glob(SCHEMAS[schema])]
    assert files
    checked = run(str(PROGRAMS / "check-jsonschema"), "--builtin-schema", schema, *files)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_yaml_file_is_left_out() -> None:
    """Each is held against one schema."""
    held = [path for pattern in SCHEMAS.values() for path in GITHUB.glob(pattern)]
    assert sorted(held) == sorted(GITHUB.rglob("*.yml"))


def test_a_workflow_gives_nothing_away() -> None:
    """No permission that is not used, no action that is not pinned, no text run as a program."""
    audited = run(str(PROGRAMS / "zizmor"), "--offline", "--no-progress", str(GITHUB))
    assert audited.returncode == 0, audited.stdout + audited.stderr


@pytest.mark.skipif(shutil.which("go") is None, reason="actionlint is built by go; install golang")
def test_actionlint_finds_nothing() -> None:
    """Jobs, expressions, contexts and the inputs of actions fit together."""
    linted = run("go", "run", ACTIONLINT)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_every_python_that_the_distributions_allow_is_tried() -> None:
    """From the oldest on, without a gap."""
    (oldest,) = {read_project(folder)["requires-python"] for folder in FOLDERS.values()}
    versions = [tuple(map(int, version.split("."))) for version in matrix("tests", "python")]
    assert oldest == f">={matrix('tests', 'python')[0]}"
    assert versions == [(3, minor) for minor in range(versions[0][1], versions[-1][1] + 1)]
    assert versions[-1] >= (3, 14)


def test_the_sessions_that_are_run_exist() -> None:
    """Each name in a matrix is a session of noxfile.py."""
    wanted = {*matrix("sessions", "session"), *matrix("versions", "session", of="versions")}
    listed = run(str(PROGRAMS / "nox"), "--list", "--json", "--sessions", *wanted)
    assert {session["name"] for session in json.loads(listed.stdout)} == wanted


def test_what_is_published_is_what_was_checked() -> None:
    """The release builds nothing itself, and waits for the checks that have built it."""
    jobs = workflow("release")["jobs"]
    assert jobs["checks"]["uses"] == "./.github/workflows/checks.yml"
    assert (jobs["checks"]["needs"], jobs["publish"]["needs"]) == ("tag", "checks")
    kept = workflow("checks")["jobs"]["wheels"]["steps"][-1]["with"]["name"]
    assert jobs["publish"]["steps"][0]["with"]["name"] == kept
    assert jobs["publish"]["permissions"] == {"id-token": "write"}


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """Return a copy of what says a version, with a changelog that has a section for it."""
    for folder in FOLDERS.values():
        target = tmp_path / folder.relative_to(ROOT) / "pyproject.toml"
        target.parent.mkdir(parents=True)
        shutil.copyfile(folder / "pyproject.toml", target)
    changelog = f"# Changelog\n\n## [Unreleased]\n\n## [{VERSION}] - 2026-01-01\n\n- Something.\n"
    (tmp_path / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    return tmp_path


def compare_tag(folder: Path, tag: str) -> subprocess.CompletedProcess[str]:
    """Run the step of the release that looks at the tag, as GitHub would."""
    step = workflow("release")["jobs"]["tag"]["steps"][-1]["run"]
    return run("bash", "-e", "-c", step, folder=folder, GITHUB_REF_NAME=tag)


def test_a_tag_that_is_the_version_is_released(released: Path) -> None:
    """All distributions and the changelog say the same."""
    assert compare_tag(released, f"v{VERSION}").returncode == 0


def test_a_tag_that_is_not_the_version_is_not_released(released: Path) -> None:
    """Another tag, one distribution that was forgotten, or a changelog without its section."""
    assert "its version is not that of the tag" in compare_tag(released, "v99.0.0").stdout
    plugin = next(iter(sorted(released.glob("plugins/*/pyproject.toml"))))
    text = plugin.read_text(encoding="utf-8")
    plugin.write_text(text.replace(f'"{VERSION}"', '"0.0.1"'), encoding="utf-8")
    assert f"file={plugin.relative_to(released)}" in compare_tag(released, f"v{VERSION}").stdout
    plugin.write_text(text, encoding="utf-8")
    (released / "CHANGELOG.md").write_text("## [Unreleased]\n", encoding="utf-8")
    refused = compare_tag(released, f"v{VERSION}")
    assert (refused.returncode, "CHANGELOG.md" in refused.stdout) == (1, True)


@pytest.mark.parametrize("file", ["ISSUE_TEMPLATE/bug.yml", "pull_request_template.md"])
def test_who_reports_is_asked_for_the_check_and_the_version(file: str) -> None:
    """What nearly every question comes down to."""
    text = (GITHUB / file).read_text(encoding="utf-8")
    assert "`event-brokers check --json`" in text
    assert "`event-brokers --version`" in text
