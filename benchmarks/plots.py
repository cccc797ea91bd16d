"""Draws plots as SVG, small enough to read: bars, and lines over an axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _ROW, _LABEL, _MARGIN = 760, 22, 250, 10  # pixels
_HEIGHT, _LEFT, _BOTTOM = 300, 70, 46
_LEGEND_ROW = 18
_OURS = "event-brokers"
_COLOURS = (
    "#0a5", "#06c", "#c60", "#a0a", "#777", "#c33", "#088", "#850", "#55c", "#393",
)  # fmt: skip
# readable on a light page and on a dark one
_STYLE = "text { font: 12px sans-serif; fill: #888 } .grid { stroke: #8884 } path { fill: none }"
_SHARES = (
    (0.1, "10 %"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (1.0, "all"),
)  # fmt: skip
_WORST = 0.9999  # where "all" stands on an axis that grows by nines


@dataclass(frozen=True)
class Bars:
    """Some bars under one heading.

    Attributes:
        title: the heading.
        values: each with its label.
    """

    title: str
    values: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Series:
    """One line.

    Attributes:
        label: in the legend.
        points: x and y.
    """

    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Axis:
    """Where a value stands on an axis, in pixels.

    Attributes:
        at: from a value to pixels.
        marks: values and their texts.
    """

    at: Callable[[float], float]
    marks: Sequence[tuple[float, str]]


def bars(groups: Sequence[Bars]) -> str:
    """Return horizontal bars, ours in a colour of its own; each heading has a scale of its own."""
    parts: list[str] = []
    top = _MARGIN
    for group in groups:
        parts.append(_text(_MARGIN, top + 14, group.title, "font-weight: bold"))
        top += _ROW
        most = max(value for _, value in group.values)
        for label, value in group.values:
            width = (_WIDTH - _LABEL - 90) * value / most
            colour = _COLOURS[0] if label.startswith(_OURS) else _COLOURS[4]
            parts.append(_text(_LABEL - 8, top + 14, label, "text-anchor: end"))
            parts.append(
                f'<rect x="{_LABEL}" y="{top + 3}" width="{width:.0f}" height="{_ROW - 6}" '
                f'fill="{colour}"/>'
            )
            parts.append(_text(_LABEL + width + 6, top + 14, f"{value:,.0f}"))
            top += _ROW
        top += _ROW // 2
    return _picture(parts, top) if groups else ""


def latencies(series: Sequence[Series]) -> str:
    """Return how many microseconds which share of the calls stayed below."""
    x = _Axis(lambda share: _nines(share) / _nines(1.0), _SHARES)
    return _draw(series, x, _powers_of_ten(series), "share of the calls", "us at most")


def lines(series: Sequence[Series], below: str, beside: str) -> str:
    """Return lines over two axes that begin at zero.

    Parameters:
        series: the lines.
        below: what the values of x are.
        beside: what the values of y are.
    """
    points = [point for each in series for point in each.points]
    x, y = (_from_zero(max((point[of] for point in points), default=1)) for of in (0, 1))
    return _draw(series, x, y, below, beside)


def _draw(series: Sequence[Series], x: _Axis, y: _Axis, below: str, beside: str) -> str:
    if not series:
        return ""

    def place(point: tuple[float, float]) -> tuple[float, float]:
        left = _LEFT + x.at(point[0]) * (_WIDTH - _LEFT - 4 * _MARGIN)
        return left, _MARGIN + 14 + (1 - y.at(point[1])) * (_HEIGHT - _BOTTOM - 14)

    first_x, first_y = x.marks[0][0], y.marks[0][0]
    parts = [_text(_MARGIN, 14, beside), _text(_WIDTH - 20, _HEIGHT, below, "text-anchor: end")]
    for value, text in x.marks:
        left, bottom = place((value, first_y))
        parts.append(_text(left, bottom + 16, text, "text-anchor: middle"))
        parts.append(_grid(left, bottom, *place((value, y.marks[-1][0]))))
    for value, text in y.marks:
        left, top = place((first_x, value))
        parts.append(_text(left - 8, top + 4, text, "text-anchor: end"))
        parts.append(_grid(left, top, *place((x.marks[-1][0], value))))
    for number, each in enumerate(series):
        colour = _COLOURS[number % len(_COLOURS)]
        way = " L ".join("{:.0f} {:.0f}".format(*place(point)) for point in each.points)
        parts.append(f'<path d="M {way}" stroke="{colour}" stroke-width="2"/>')
        top = _HEIGHT + _MARGIN + number * _LEGEND_ROW
        parts.append(f'<rect x="{_LEFT}" y="{top}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(_LEFT + 20, top + 11, each.label))
    return _picture(parts, _HEIGHT + 2 * _MARGIN + len(series) * _LEGEND_ROW)


def _nines(share: float) -> float:
    return -math.log10(1 - min(share, _WORST))


def _powers_of_ten(series: Sequence[Series]) -> _Axis:
    values = [y for each in series for _, y in each.points]
    low = math.floor(math.log10(min(values, default=1)))
    high = math.ceil(math.log10(max(values, default=10)))
    marks = [(10.0**power, f"{10**power:,}" if power >= 0 else f"{10.0**power:g}")
             for power in range(low, high + 1)]  # fmt: skip
    return _Axis(lambda value: (math.log10(value) - low) / (high - low), marks)


def _from_zero(most: float) -> _Axis:
    step = 10.0 ** math.floor(math.log10(most))
    if most / step < 3:
        step /= 4
    top = math.ceil(most / step) * step
    marks = [(step * number, f"{step * number:,.0f}") for number in range(round(top / step) + 1)]
    return _Axis(lambda value: value / top, marks)


def _text(left: float, top: float, text: str, style: str = "") -> str:
    styled = f' style="{style}"' if style else ""
    return f'<text x="{left:.0f}" y="{top:.0f}"{styled}>{escape(text)}</text>'


def _grid(left: float, top: float, right: float, bottom: float) -> str:
    return f'<line class="grid" x1="{left:.0f}" y1="{top:.0f}" x2="{right:.0f}" y2="{bottom:.0f}"/>'


def _picture(parts: Sequence[str], height: int) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}">\n'
        f"<style>{_STYLE}</style>\n{body}\n</svg>\n"
    )
