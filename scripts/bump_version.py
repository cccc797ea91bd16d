"""Give every distribution a new version: scripts/bump_version.py 0.2.0, before a release.

The version stands in core/pyproject.toml. From there it is copied into the other distributions,
into the ranges in which they want one another, and into the plugins that the documentation and
`event-brokers plugins new` begin.
What the changelog has under "Unreleased" becomes the section of the new version.
"""

from __future__ import annotations

import argparse
import datetime
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.version import InvalidVersion, Version

VERSION_LINE = re.compile(r'^version = "([^"]+)"$', re.MULTILINE)
# what one of our distributions says of another: "event-brokers[cli]>=0.1,<0.2"
RANGE = re.compile(r'(?<=")(event-brokers[a-z-]*(?:\[[a-z0-9, -]+\])?)[<>=!~][^"]*(?=")')
UNRELEASED = "## [Unreleased]\n"
# what `event-brokers plugins new` writes
TEMPLATE = "core/src/event_brokers/cli/plugin-template"


def main() -> int:
    """Write the version into every file, or into none; return the code of the program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("version", help="the new version, for example 0.2.0")
    wanted = parser.parse_args().version
    try:
        texts = dict(_changed(Path.cwd(), _version(wanted)))
    except ValueError as error:
        sys.stderr.write(f"bump-version: {error}\n")
        return 1
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{wanted}: commit this, then tag it v{wanted}\n")
    return 0


def _version(text: str) -> Version:
    try:
        version = Version(text)
    except InvalidVersion:
        raise ValueError(f"'{text}' is not a version; give one such as 0.2.0") from None
    if str(version) != text or len(version.release) != 3 or version.local or version.epoch:
        raise ValueError(f"'{text}' is not a version; give one such as 0.2.0 or 0.2.0rc1")
    return version


def _changed(root: Path, version: Version) -> Iterator[tuple[Path, str]]:
    """Yield each file that says the version, with its new text."""
    folders = ("*", "plugins/*", "integrations/*")
    projects = [path for each in folders for path in root.glob(f"{each}/pyproject.toml")]
    _refuse_older(version, Version(_read_version(root / "core" / "pyproject.toml")))
    for path in projects:
        present = _read_version(path)
        text = path.read_text(encoding="utf-8")
        text = text.replace(f'version = "{present}"', f'version = "{version}"')
        yield path, _with_ranges(text, version)
    for path in (*root.glob("docs/*.md"), *root.glob(f"{TEMPLATE}/*/pyproject.toml")):
        yield path, _with_ranges(path.read_text(encoding="utf-8"), version)
    changelog = root / "CHANGELOG.md"
    yield changelog, _with_section(changelog.read_text(encoding="utf-8"), version)


def _read_version(path: Path) -> str:
    found = VERSION_LINE.findall(path.read_text(encoding="utf-8"))
    if len(found) != 1:
        raise ValueError(f"{path}: needs one line like 'version = \"0.1.0\"', and has {len(found)}")
    return str(found[0])


def _refuse_older(version: Version, present: Version) -> None:
    if version < present:
        raise ValueError(f"{version} is older than {present}, the version in core/pyproject.toml")


def _with_ranges(text: str, version: Version) -> str:
    return RANGE.sub(rf"\1{series(version)}", text)


def series(version: Version) -> str:
    """Return the range of versions that work with this one: `>=0.2,<0.3`, from 1.0 on `<2`."""
    lowest = version if version.is_prerelease else f"{version.major}.{version.minor}"
    following = f"0.{version.minor + 1}" if version.major == 0 else f"{version.major + 1}"
    return f">={lowest},<{following}"


def _with_section(changelog: str, version: Version) -> str:
    before, heading, after = changelog.partition(UNRELEASED)
    unreleased = re.split(r"^## ", after, maxsplit=1, flags=re.MULTILINE)[0]
    if not heading:
        raise ValueError(f"CHANGELOG.md: needs the heading '{UNRELEASED.strip()}'")
    if f"## [{version}]" in changelog:
        raise ValueError(f"CHANGELOG.md: {version} has a section already; give the next version")
    if not unreleased.strip():
        raise ValueError("CHANGELOG.md: nothing stands under 'Unreleased'; write what has changed")
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return f"{before}{heading}\n## [{version}] - {today.isoformat()}\n{after}"


if __name__ == "__main__":
    sys.exit(main())
