"""Python environments apart from the one that runs the tests, with wheels installed by pip.

What the wheels depend on comes from wherever pip is set to look.
"""

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
        environment.install(*requirements)
        return environment

    def program(self, name: str) -> Path:
        """Return the path of one of its programs."""
        return self.folder / "bin" / name

    def install(self, *requirements: str) -> None:
        """Let pip install something more."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.program("python"))]
        install = ["install", "--quiet", "--disable-pip-version-check", *requirements]
        subprocess.run([*pip, *install], check=True)

    def run(
        self, program: str, *arguments: str, folder: Path | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a program and return its code and what it wrote.

        Parameters:
            program: one of the environment's.
            arguments: of the program.
            folder: to run it in; that of the environment where None.
            timeout: seconds that it may take.
        """
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [str(self.program(program)), *arguments],
            cwd=folder or self.folder,
            env=variables,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def has(self, module: str) -> bool:
        """Return whether a module can be imported there."""
        return self.run("python", "-c", f"import {module}").returncode == 0

    def write_endpoints(self, **options: object) -> str:
        """Write an endpoints.yml with one section, and return its name."""
        text = json.dumps({"event_broker": options})  # JSON is YAML
        (self.folder / "endpoints.yml").write_text(text, encoding="utf-8")
        return "endpoints.yml"
