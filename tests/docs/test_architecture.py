"""The picture of docs/architecture.md is drawn from the contract that import-linter holds."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from wheels import ROOT


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the extension that draws, which the documentation's build imports from its folder."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    monkeypatch.delitem(sys.modules, "rooms", raising=False)
    import rooms  # noqa: PLC0415 - it is on the path only now

    return rooms


def heights(picture: ElementTree.Element, name: str) -> list[float]:
    """Return how far from the top a text stands, for each time it is there."""
    return [float(text.get("y", "")) for text in picture.iter("text") if text.text == name]


def test_every_room_is_drawn_above_what_it_may_import(rooms: ModuleType) -> None:
    """Once each, in the rows of the contract; a room that may be missing is left out."""
    rows = rooms.read_rows()
    picture = ElementTree.fromstring(rooms.draw(rows))
    tops = [{height for name in row for height in heights(picture, name)} for row in rows]
    assert all(len(heights(picture, name)) == 1 for row in rows for name in row)
    assert all(len(top) == 1 for top in tops)
    assert [min(top) for top in tops] == sorted({min(top) for top in tops})
    assert "testing" not in {name for row in rows for name in row}


def test_an_event_s_way_leads_through_rooms_that_are_there(rooms: ModuleType) -> None:
    """Each step outside the application and the broker has its number on a room."""
    names = {name for row in rooms.read_rows() for name in row}
    assert {room for _, room in rooms.WAY if room} <= names
    picture = ElementTree.fromstring(rooms.draw(rooms.read_rows()))
    numbers = [text.text for text in picture.iter("text") if text.get("class") == "number"]
    assert "4, 8" in numbers
    assert numbers[: len(rooms.WAY)] == [str(place + 1) for place in range(len(rooms.WAY))]


def test_a_room_s_job_is_what_its_docstring_says(rooms: ModuleType) -> None:
    """The table below the picture cannot say something else than the code."""
    source = (Path(rooms.CORE) / "event.py").read_text(encoding="utf-8")
    assert source.startswith(f'"""{rooms.read_job("event")}.')
    assert all(rooms.read_job(name) for row in rooms.read_rows() for name in row)
