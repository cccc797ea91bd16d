"""Python environments of their own, with some of the wheels in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """A Python environment with some of the wheels, apart from the one that runs the tests.

    Attributes:
        folder: where it is.
    """

    folder: Path

    @classmethod
    def made(cls, folder: Path, *requirements: str) -> Environment:
        """Return a new environment.

        Parameters:
            folder: does not exist yet.
            requirements: what pip installs.
        """
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        environment = cls(folder)
        pip = [sys.executable, "-m", "pip", "--python", str(environment.program("python"))]
        install = ["install", "--quiet", "--disable-pip-version-check", *requirements]
        subprocess.run([*pip, *install], check=True)
        return environment

    def program(self, name: str) -> Path:
        """Return the path of one of its programs."""
        return self.folder / "bin" / name

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the environment's folder and return its code and what it wrote."""
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [str(self.program(program)), *arguments],
            cwd=self.folder,
            env=variables,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def has(self, module: str) -> bool:
        """Return whether a module can be imported there."""
        return self.run("python", "-c", f"import {module}").returncode == 0

    def write_endpoints(self, **options: object) -> str:
        """Write an endpoints.yml with one section, and return its name."""
        text = json.dumps({"event_broker": options})  # JSON is YAML
        (self.folder / "endpoints.yml").write_text(text, encoding="utf-8")
        return "endpoints.yml"
