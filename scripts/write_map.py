"""Write the tables of CONTRIBUTING.md that say of each module what its one job is.

A table begins with "module of" and a folder. Its rows are made from the first line of each module's
docstring. With --check nothing is written; tables that are out of date end the program with 1.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "CONTRIBUTING.md"
TABLE = re.compile(r"(\| module of `(.+?)` \| its one job \|\n\|---\|---\|\n)((?:\|.*\n)*)")


def main() -> int:
    """Write or check every table; return the code with which the program ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail where one is old")
    only_check = parser.parse_args().check
    text = DOCUMENT.read_text(encoding="utf-8")
    updated = TABLE.sub(lambda table: table[1] + rows(ROOT / table[2]), text)
    if only_check and updated != text:
        sys.stderr.write("CONTRIBUTING.md is out of date; run python scripts/write_map.py\n")
        return 1
    DOCUMENT.write_text(updated, encoding="utf-8")
    return 0


def rows(folder: Path) -> str:
    """Return the rows for the modules and packages of one folder."""
    files = [*folder.glob("[!_]*.py"), *folder.glob("[!_]*/__init__.py")]
    jobs = {_name(file): _job(file) for file in files}
    return "".join(f"| `{name}` | {jobs[name]} |\n" for name in sorted(jobs))


def _name(file: Path) -> str:
    return f"{file.parent.name}/" if file.stem == "__init__" else file.name


def _job(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].removesuffix(".")


if __name__ == "__main__":
    sys.exit(main())
