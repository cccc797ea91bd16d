"""The distributions of this repository: their folders, their version, and their wheels."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import tomli
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent


def read_project(folder: Path) -> dict[str, Any]:
    """Return the table `project` of a folder's pyproject.toml."""
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomli.loads(text)["project"]
    return table


def find_folders(root: Path) -> dict[str, Path]:
    """Return the folder of every distribution, by its name.

    Parameters:
        root: this repository, or a copy of it.
    """
    folders = ("*", "plugins/*", "integrations/*")
    projects = [path for each in folders for path in root.glob(f"{each}/pyproject.toml")]
    return {read_project(path.parent)["name"]: path.parent for path in sorted(projects)}


FOLDERS = find_folders(ROOT)
EXAMPLES = {  # as somebody else would publish them: with versions of their own
    read_project(path.parent)["name"]: path.parent
    for path in sorted(ROOT.glob("examples/*/pyproject.toml"))
}
PLUGINS = sorted(name for name, folder in FOLDERS.items() if folder.parent.name == "plugins")
VERSION: str = read_project(ROOT / "core")["version"]
_LEFT_BY_BUILDS = shutil.ignore_patterns("build", "dist", "*.egg-info", "__pycache__")


@dataclass(frozen=True)
class Wheel:
    """One built wheel.

    Attributes:
        path: the wheel.
        folder: the folder in the repository from which it was built.
    """

    path: Path
    folder: Path

    def files(self) -> set[str]:
        """Return the path of everything inside."""
        with zipfile.ZipFile(self.path) as archive:
            return set(archive.namelist())

    def metadata(self) -> Message:
        """Return the fields of its METADATA."""
        with zipfile.ZipFile(self.path) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
            return HeaderParser().parsestr(archive.read(name).decode())

    def requirements(self) -> list[Requirement]:
        """Return what it needs of others, with its extras."""
        return [Requirement(text) for text in self.metadata().get_all("Requires-Dist", failobj=[])]

    def needs(self) -> set[str]:
        """Return the names of what pip installs with it when no extra is asked for."""
        return {need.name for need in self.requirements() if need.marker is None}


def build_wheels(folder: Path) -> dict[str, Wheel]:
    """Build every distribution, and the examples, with the setuptools of this environment.

    Parameters:
        folder: an empty folder for the wheels.
    """
    sources = {**FOLDERS, **EXAMPLES}
    wheels = {name: build_wheel(source, folder / name) for name, source in sources.items()}
    return {name: Wheel(path, sources[name]) for name, path in wheels.items()}


def build_wheel(source: Path, folder: Path) -> Path:
    """Build one distribution with the setuptools of this environment, and return its wheel.

    Parameters:
        source: the distribution's folder.
        folder: an empty folder for the wheel.
    """
    # from a copy: what an earlier build left in the folder would get into the wheel
    copy = shutil.copytree(source, folder / "source", ignore=_LEFT_BY_BUILDS)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(copy)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel
