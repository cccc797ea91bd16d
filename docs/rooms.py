"""Draws the rooms of the core, and an event's way through them, for architecture.md.

The rooms come from layers.ini, the contract that import-linter holds, and what each is for from the
first line of its docstring: the picture cannot say something else than the code.
"""

from __future__ import annotations

import ast
import configparser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "core" / "src" / "event_brokers"
OUTSIDE = ("your application, a terminal, Rasa, the assistant", "plugins: kafka, pika, sql, yours")
# what happens to an event, and in which room; None is outside the core
WAY = (
    ("your dict", None),
    ("publish", "broker"),
    ("Event", "event"),
    ("waits", "queues"),
    ("is taken", "delivery"),
    ("is sent", "plugin_calls"),
    ("confirmed", None),
    ("settled", "queues"),
)

WIDTH, ROW, GAP, MARGIN = 760, 26, 8, 10  # pixels
STEP = (WIDTH - 2 * MARGIN) / len(WAY)
# the colours are those of the theme, light or dark
STYLE = """
.rooms { --ink: var(--color-foreground-primary, #111); --line: var(--color-foreground-muted, #777);
    --accent: var(--color-brand-primary, #05c); --paper: var(--color-background-primary, #fff) }
.rooms text { font: 13px sans-serif; text-anchor: middle; fill: var(--ink) }
.rooms rect { fill: var(--color-background-secondary, #f8f8f8); stroke: var(--line) }
.rooms .outside rect { stroke-dasharray: 4 3; fill: none }
.rooms .passed rect { stroke: var(--accent); stroke-width: 2 }
.rooms ellipse { fill: var(--accent) }
.rooms .number { font-size: 10px; fill: var(--paper) }
.rooms path { stroke: var(--line); fill: none }
"""


@dataclass(frozen=True)
class Box:
    """One box of the picture.

    Attributes:
        text: what stands in it.
        left, top, width: where it is, in pixels.
        number: its numbers on an event's way, as text; "" where no event passes.
        outside: whether it is no room of the core.
    """

    text: str
    left: float
    top: float
    width: float
    number: str = ""
    outside: bool = False

    def svg(self) -> str:
        """Return the box, with what the room is for as its tooltip."""
        kind = "outside" if self.outside else "passed" if self.number else "room"
        middle, line = self.left + self.width / 2, self.top + ROW / 2 + 4
        return (
            f'<g class="{kind}"><title>{escape(read_job(self.text))}</title>'
            f'<rect x="{self.left:.1f}" y="{self.top}" width="{self.width:.1f}" height="{ROW}"/>'
            f'<text x="{middle:.1f}" y="{line}">{escape(self.text)}</text>{self._badge()}</g>'
        )

    def _badge(self) -> str:
        if not self.number:
            return ""
        radius = 5 + 3 * len(self.number)
        left = self.left + radius - 4
        return (
            f'<ellipse cx="{left:.1f}" cy="{self.top + 3}" rx="{radius}" ry="8"/>'
            f'<text class="number" x="{left:.1f}" y="{self.top + 7}">{self.number}</text>'
        )


class Rooms(SphinxDirective):
    """The picture, and below it a table of the rooms."""

    def run(self) -> list[nodes.Node]:
        """Return both."""
        rows = read_rows()
        table = ["| room | its one job |", "|---|---|"]
        table += [f"| `{name}` | {read_job(name)} |" for row in rows for name in row]
        for source in (ROOT / "layers.ini", *CORE.glob("**/*.py")):
            self.env.note_dependency(str(source))
        return [
            nodes.raw("", draw(rows), format="html"),
            *self.parse_text_to_nodes("\n".join(table)),
        ]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Give Sphinx the directive."""
    app.add_directive("rooms", Rooms)
    return {"parallel_read_safe": True}


def read_rows() -> list[list[str]]:
    """Return the rooms from the top down; those of one row do not import each other."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / "layers.ini", encoding="utf-8")
    lines = contracts["importlinter:contract:rooms"]["layers"].strip().splitlines()
    rows = [[name.strip() for name in line.split("|")] for line in lines]
    # a room in brackets may be missing
    return [[name for name in row if not name.startswith("(")] for row in rows]


def read_job(name: str) -> str:
    """Return the first line of a room's docstring, without full stop, or "" where there is none."""
    for file in (CORE / f"{name}.py", CORE / name / "__init__.py"):
        if file.exists():
            docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            return docstring.partition("\n")[0].removesuffix(".")
    return ""


def draw(rows: Sequence[Sequence[str]]) -> str:
    """Return the picture as SVG: an event's way on top, below it the rooms that it passes."""
    top = MARGIN + 2 * (ROW + GAP)
    boxes = [*_way(MARGIN), *_row(OUTSIDE, top, outside=True)]
    for row in rows:
        top += ROW + GAP
        boxes += _row(row, top)
    head = f'<svg class="rooms" role="img" viewBox="0 0 {WIDTH} {top + ROW + MARGIN}">'
    title = "<title>The rooms of the core, and an event's way through them</title>"
    drawn = "".join(box.svg() for box in boxes)
    return f"{head}{title}<style>{STYLE}</style>{drawn}{_arrows()}</svg>"


def _way(top: int) -> Iterator[Box]:
    for place, (text, room) in enumerate(WAY):
        left = MARGIN + place * STEP
        yield Box(text, left, top, STEP - 2 * GAP, str(place + 1), outside=room is None)


def _arrows() -> str:
    starts = (MARGIN + place * STEP - 2 * GAP for place in range(1, len(WAY)))
    tip = 2 * GAP - 3
    drawn = (f"M{left:.1f} {MARGIN + ROW / 2} h{tip} m-4 -4 l4 4 l-4 4" for left in starts)
    return f'<path d="{" ".join(drawn)}"/>'


def _row(row: Sequence[str], top: int, *, outside: bool = False) -> Iterator[Box]:
    width = (WIDTH - 2 * MARGIN + GAP) / len(row)
    for place, name in enumerate(row):
        left = MARGIN + place * width
        yield Box(name, left, top, width - GAP, _numbers(name), outside)


def _numbers(room: str) -> str:
    return ", ".join(str(number) for number, (_, passed) in enumerate(WAY, 1) if passed == room)
