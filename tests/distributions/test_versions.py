"""One version for every distribution: in core/pyproject.toml, and everywhere else the same.

What `scripts/bump_version.py` writes is tried on a copy of the files that say a version.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from event_brokers.plugins import DISTRIBUTIONS
from wheels import FOLDERS, PLUGINS, ROOT, VERSION, find_folders, read_project

TEMPLATE = "core/src/event_brokers/cli/plugin-template/common"
SAYS_A_VERSION = (
    "CHANGELOG.md", "*/pyproject.toml", "plugins/*/pyproject.toml", "integrations/*/pyproject.toml",
    "docs/*.md",
    f"{TEMPLATE}/pyproject.toml",
)  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with a copy of every file that says a version, and something unreleased."""
    for path in [path for pattern in SAYS_A_VERSION for path in ROOT.glob(pattern)]:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    write_changelog(tmp_path, "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- Something.\n")
    return tmp_path


def write_changelog(root: Path, text: str) -> None:
    """Write the changelog of a copy."""
    (root / "CHANGELOG.md").write_text(text, encoding="utf-8")


def bump(root: Path, version: str) -> subprocess.CompletedProcess[str]:
    """Run the script on a copy of the repository."""
    command = [sys.executable, str(ROOT / "scripts" / "bump_version.py"), version]
    return subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)


def versions(root: Path) -> set[str]:
    """Return every version that a distribution says to have."""
    return {read_project(folder)["version"] for folder in find_folders(root).values()}


def ranges(root: Path) -> set[SpecifierSet]:
    """Return every range in which one of our distributions wants another, in files and docs."""
    folders = [*find_folders(root).values(), root / TEMPLATE]
    needed = [need for folder in folders for need in _requirements(folder)]
    return {need.specifier for need in [*needed, *_documented(root)] if need.name in FOLDERS}


def _requirements(folder: Path) -> Iterator[Requirement]:
    project = read_project(folder)
    extras = project.get("optional-dependencies", {}).values()
    for text in [*project.get("dependencies", []), *(text for extra in extras for text in extra)]:
        requirement = Requirement(text)
        if requirement.name != project["name"]:  # an extra that includes another one
            yield requirement


def _documented(root: Path) -> Iterator[Requirement]:
    for document in root.glob("docs/*.md"):
        for text in re.findall(r'"(event-brokers[^"\s]*)"', document.read_text(encoding="utf-8")):
            if (requirement := Requirement(text)).specifier:
                yield requirement


def assert_one_series(found: set[SpecifierSet], version: str) -> None:
    """Fail unless all ranges are one, from the version's series to the next that may break."""
    (series,) = found
    of = Version(version)
    following = f"0.{of.minor + 1}" if of.major == 0 else f"{of.major + 1}.0"
    assert series.contains(version, prereleases=True)
    assert f"{of.major}.{of.minor}.99" in series
    assert following not in series
    assert f"{of.major}.{max(of.minor - 1, 0)}.99" not in series or of.minor == 0


def files(root: Path) -> dict[Path, str]:
    """Return what stands in every file below a folder."""
    return {path: path.read_text(encoding="utf-8") for path in root.rglob("*") if path.is_file()}


def test_every_distribution_has_the_version_of_the_core() -> None:
    """And wants the others in the range of one series, as the documentation's plugin does."""
    assert versions(ROOT) == {VERSION}
    assert_one_series(ranges(ROOT), VERSION)


def test_the_changelog_knows_the_version() -> None:
    """There is room for what comes, and the newest section is that of the version, if any is."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1:2] in ([], [VERSION])


def test_the_core_knows_what_to_install_for_each_plugin_of_this_repository() -> None:
    """The one list in which a plugin that joins the repository is entered."""
    types = {
        (plugin_type.casefold(), name)
        for name in PLUGINS
        for plugin_type in read_project(FOLDERS[name])["entry-points"]["event_brokers"]
    }
    assert types == set(DISTRIBUTIONS.items())


@pytest.mark.parametrize(
    ("version", "series"),
    [
        ("0.2.0", ">=0.2,<0.3"),
        ("0.2.1", ">=0.2,<0.3"),
        ("0.3.0rc1", ">=0.3.0rc1,<0.4"),
        ("1.0.0", ">=1.0,<2"),
        ("1.4.2", ">=1.4,<2"),
    ],
)
def test_a_bump_reaches_every_file(version: str, series: str, copy: Path) -> None:
    """Versions, ranges, documentation; a range holds the version, and not the next series."""
    assert bump(copy, version).returncode == 0
    assert versions(copy) == {version}
    assert ranges(copy) == {SpecifierSet(series)}
    assert_one_series(ranges(copy), version)


def test_a_bump_closes_the_changelog_s_section(copy: Path) -> None:
    """What was unreleased stands under version and date, and there is room for what comes."""
    bump(copy, "0.2.0")
    assert re.fullmatch(
        r"# Changelog\n\n## \[Unreleased\]\n\n"
        r"## \[0\.2\.0\] - \d{4}-\d\d-\d\d\n\n### Added\n\n- Something\.\n",
        (copy / "CHANGELOG.md").read_text(encoding="utf-8"),
    )


def test_the_first_release_may_have_the_version_that_stands_there(copy: Path) -> None:
    """Nothing but the changelog changes."""
    before = files(copy)
    assert bump(copy, VERSION).returncode == 0
    changed = {path for path, text in files(copy).items() if before[path] != text}
    assert changed == {copy / "CHANGELOG.md"}


@pytest.mark.parametrize(
    ("version", "changelog", "reason"),
    [
        ("0.0.9", "## [Unreleased]\n\n- Something.\n", "0.0.9 is older than"),
        ("next", "## [Unreleased]\n\n- Something.\n", "'next' is not a version"),
        ("0.2", "## [Unreleased]\n\n- Something.\n", "'0.2' is not a version"),
        ("v0.2.0", "## [Unreleased]\n\n- Something.\n", "'v0.2.0' is not a version"),
        ("0.2.0", "## [Unreleased]\n\n## [0.1.0] - 2026-01-01\n\n- Old.\n", "nothing stands under"),
        ("0.2.0", "## Unreleased\n\n- Something.\n", "needs the heading '## [Unreleased]'"),
        ("0.2.0", "## [Unreleased]\n\n- New.\n\n## [0.2.0] - 2026-01-01\n", "has a section"),
    ],
)
def test_a_bump_that_cannot_be_right_changes_nothing(
    version: str, changelog: str, reason: str, copy: Path
) -> None:
    """It says why, in a sentence."""
    write_changelog(copy, changelog)
    before = files(copy)
    run = bump(copy, version)
    assert run.returncode == 1
    assert run.stderr.startswith("bump-version: ")
    assert reason in run.stderr
    assert files(copy) == before
