"""Write the contract into docs/plugins.md, from the docstrings in which it stands.

The page is also read in a clone, where nobody builds it. Each part stands between two comments,
`<!-- contract: NAME -->` and `<!-- /contract -->`, and is made of the docstring of that name. With
--check nothing is written; a page that is out of date ends the program with 1.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from pydoc import locate
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "docs" / "plugins.md"
PART = re.compile(r"(<!-- contract: ([\w.]+) -->\n).*?(<!-- /contract -->)", re.DOTALL)
SECTIONS = ("Parameters", "Attributes", "Raises", "Returns")
QUOTED_TYPE = re.compile(r"(: |-> )'([^']*)'")
OBJECT_AT_ADDRESS = re.compile(r"<[^<>]*(<[^<>]*>)?[^<>]* at 0x[0-9a-f]+>")
RULE = re.compile(r"^=+( +=+)+$")


def main() -> int:
    """Write or check the page; return the code with which the program ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail where it is old")
    only_check = parser.parse_args().check
    text = PAGE.read_text(encoding="utf-8")
    updated = PART.sub(lambda part: f"{part[1]}\n{described(part[2])}\n\n{part[3]}", text)
    if only_check and updated != text:
        sys.stderr.write(
            "docs/plugins.md is out of date; run python scripts/write_plugin_page.py\n"
        )
        return 1
    PAGE.write_text(updated, encoding="utf-8")
    return 0


def described(name: str) -> str:
    """Return what the docstring of a module, a class or a function says, as Markdown."""
    found: Any = locate(name)
    if found is None:
        raise SystemExit(f"docs/plugins.md: there is no {name}")
    lines = (inspect.getdoc(found) or "").splitlines()
    heading = [] if inspect.ismodule(found) else [f"`{_signature(found)}`", ""]
    return "\n".join([*heading, *_markdown(lines)]).strip()


def _signature(found: Any) -> str:
    is_error = isinstance(found, type) and issubclass(found, BaseException)
    if isinstance(found, type) and not is_error:
        return found.__name__
    signature = QUOTED_TYPE.sub(r"\1\2", str(inspect.signature(found)))
    signature = OBJECT_AT_ADDRESS.sub("...", signature)  # another one in every process
    signature = signature.replace("(self, ", "(").replace("(self)", "()")
    return str(found.__name__) + (signature.removesuffix(" -> None") if is_error else signature)


def _markdown(lines: list[str]) -> Iterator[str]:
    waiting = list(lines)
    while waiting:
        line = waiting.pop(0)
        if RULE.match(line):
            yield from _table(line, waiting)
        elif line.rstrip(":") in SECTIONS and line.endswith(":"):
            yield from (line, "")
            yield from _entries(waiting)
        elif line.strip() == "::":
            yield from _code(waiting)
        else:
            yield line


def _table(rule: str, waiting: list[str]) -> Iterator[str]:
    """Yield the rows of a table with columns of '=': a row with an empty first cell goes on."""
    starts = [found.start() for found in re.finditer("=+", rule)]
    spans = list(zip(starts, [*starts[1:], None], strict=True))
    rows: list[list[str]] = []
    header_is_over = False
    while waiting:
        line = waiting.pop(0)
        if RULE.match(line):
            if header_is_over:
                break
            header_is_over = True
            continue
        cells = [line[start:end].strip() for start, end in spans]
        goes_on = not cells[0] or (rows and rows[-1][0].endswith(","))
        if goes_on:
            rows[-1] = [f"{a} {b}".strip() for a, b in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
    for number, row in enumerate(rows):
        yield f"| {' | '.join(row)} |"
        if not number:
            yield "|" + "---|" * len(spans)


def _entries(waiting: list[str]) -> Iterator[str]:
    """Yield "- `name`: text" for each entry of a section, which is indented."""
    while waiting and (not waiting[0] or waiting[0].startswith(" ")):
        line = waiting.pop(0)
        name, colon, text = line.strip().partition(": ")
        if line.startswith("    ") and not line.startswith("     ") and colon:
            yield f"- `{name}`: {text}"
        else:
            yield f"  {line.strip()}".rstrip()


def _code(waiting: list[str]) -> Iterator[str]:
    """Yield an indented block as it is."""
    while waiting and (not waiting[0] or waiting[0].startswith(" ")):
        yield waiting.pop(0)


if __name__ == "__main__":
    sys.exit(main())
