"""The wheels of this repository's distributions, built and read."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "event-brokers": ROOT / "core",
    "event-brokers-assistant": ROOT / "assistant",
    "event-brokers-kafka": ROOT / "plugins" / "kafka_broker",
    "event-brokers-pika": ROOT / "plugins" / "pika_broker",
    "event-brokers-sql": ROOT / "plugins" / "sql_broker",
}
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


def build_wheels(folder: Path) -> dict[str, Wheel]:
    """Build every distribution with the setuptools of this environment.

    Parameters:
        folder: an empty folder for the wheels.
    """
    return {name: Wheel(_build(source, folder / name), source) for name, source in FOLDERS.items()}


def _build(source: Path, folder: Path) -> Path:
    # from a copy: what an earlier build left in the folder would get into the wheel
    copy = shutil.copytree(source, folder / "source", ignore=_LEFT_BY_BUILDS)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(copy)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel
