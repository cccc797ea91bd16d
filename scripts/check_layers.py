"""Hold layers.ini, the contracts on who may import whom, against this repository's packages."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from string import Template

CONTRACTS = Path("layers.ini")
PROGRAM = Path(sys.executable).parent / "lint-imports"
CORE = "event_brokers"
_LINE = "\n    "


def main() -> int:
    """Run import-linter on the contracts; return its code."""
    folders = ("plugins/*", "examples/*")  # an example is to keep to what it shows
    plugins = _packages(file for folder in folders for file in _modules(folder))
    above = [file for each in ("*", "integrations/*") for file in _modules(each)]
    applications = [name for name in _packages(above) if name != CORE]
    contracts = Template(CONTRACTS.read_text(encoding="utf-8")).substitute(
        packages=_LINE.join([CORE, *plugins, *applications]),
        applications=_LINE.join(applications),
        applications_layer=" | ".join(applications),
        plugins=_LINE.join(plugins),
        plugins_layer=" | ".join(plugins),
    )
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
        file.write(contracts)
        file.flush()
        lint = [str(PROGRAM), "--no-cache", file.name]
        return subprocess.run(lint, check=False).returncode


def _modules(folder: str) -> Iterable[Path]:
    return Path().glob(f"{folder}/src/*/__init__.py")


def _packages(files: Iterable[Path]) -> list[str]:
    return sorted(file.parent.name for file in files)


if __name__ == "__main__":
    sys.exit(main())
