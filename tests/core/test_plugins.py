"""One plugin is found by its name, loaded alone, and refused with a sentence if it is unsound."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from event_brokers import ConfigurationError, PluginError, hookimpl
from event_brokers.plugins import DISTRIBUTIONS, Plugin, installed, load
from stand_in import write_plugin

SOUND = """
from event_brokers import hookimpl
@hookimpl
def connect(options): return object()
@hookimpl
def publish(connection, events): pass
@hookimpl
def close(connection): pass
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose distributions are installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_only_the_chosen_plugin_is_imported(folder: Path) -> None:
    """Nobody waits for, or fails with, the client of a broker he does not use."""
    write_plugin(folder, "chosen", SOUND, "chosen-dist")
    write_plugin(folder, "other", "raise ImportError('no client')", "other-dist")
    assert load("CHOSEN").distribution == "chosen-dist 1.0"
    assert "other_dist" not in sys.modules


def test_two_distributions_that_claim_one_type_are_both_named(folder: Path) -> None:
    """Nothing is chosen by chance."""
    write_plugin(folder, "same", SOUND, "first-dist")
    write_plugin(folder, "same", SOUND, "second-dist", "2.0")
    with pytest.raises(ConfigurationError, match="both serve 'same'; uninstall one") as caught:
        load("same")
    assert "first-dist 1.0" in str(caught.value)
    assert "second-dist 2.0" in str(caught.value)


def test_one_distribution_seen_twice_is_no_conflict(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editable install stands on the path beside its own metadata."""
    again = tmp_path_factory.mktemp("again")
    monkeypatch.syspath_prepend(str(again))
    write_plugin(folder, "twice", SOUND, "twice-dist")
    write_plugin(again, "twice", SOUND, "twice-dist")
    assert load("twice").type == "twice"


def test_a_plugin_that_cannot_be_imported_is_named_and_harms_nobody(folder: Path) -> None:
    """The distribution and the reason are said; the other plugins stay usable."""
    write_plugin(folder, "broken", "import a_client_that_is_missing", "broken-dist")
    write_plugin(folder, "sound", SOUND, "sound-dist")
    with pytest.raises(PluginError) as caught:
        load("broken")
    assert "the plugin 'broken' of broken-dist 1.0: cannot be imported" in str(caught.value)
    assert "a_client_that_is_missing" in str(caught.value)
    assert isinstance(caught.value.__cause__, ImportError)
    found = {plugin.type: plugin for plugin in installed()}
    assert found["sound"].plugin is not None
    assert "cannot be imported" in str(found["broken"].problem)


def test_a_known_type_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sentence is a command that can be typed."""
    monkeypatch.setitem(DISTRIBUTIONS, "elsewhere", "event-brokers-elsewhere")
    with pytest.raises(ConfigurationError) as caught:
        load("elsewhere")
    assert str(caught.value) == "'elsewhere' is not installed; pip install event-brokers-elsewhere"


def connect(options: Any) -> object:  # noqa: ARG001 - the hook's signature
    """Connect."""
    return object()


def publish(connection: Any, events: Any) -> None:
    """Publish."""


def close(connection: Any) -> None:
    """Close."""


def publsh(connection: Any, events: Any) -> None:
    """Publish, misspelt."""


def with_default(connection: Any, events: Any = ()) -> None:
    """Publish, with an argument that pluggy would never pass."""


def with_foreign_argument(connection: Any, messages: Any) -> None:
    """Publish, with an argument that no hook has."""


async def awaitable(connection: Any, events: Any) -> None:
    """Publish, for an event loop that is not there."""


@pytest.mark.parametrize(
    ("hooks", "expected"),
    [
        ({"publish": None}, "hook 'publish' is missing; implement it and mark it @hookimpl"),
        ({"publsh": publsh}, "'publsh' is not a hook; did you mean 'publish'?"),
        ({"publish": with_default}, "hook 'publish': argument 'events' has a default, "),
        ({"publish": awaitable}, "hook 'publish' is async; nothing would await it"),
        ({"publish": with_foreign_argument}, "Argument(s) {'messages'} are declared"),
        ({"options": lambda: dict}, "hook 'options' must return a subclass of"),
    ],
)
def test_an_unsound_plugin_is_refused_with_what_to_change(
    hooks: dict[str, Any], expected: str
) -> None:
    """The plugin's author reads the distribution, the hook and what is wrong with it."""
    implemented = {"connect": connect, "publish": publish, "close": close, **hooks}
    marked = {name: hookimpl(hook) for name, hook in implemented.items() if hook is not None}
    with pytest.raises(PluginError) as caught:
        Plugin("mine", "my-dist 1.0", SimpleNamespace(**marked))
    assert str(caught.value).startswith("the plugin 'mine' of my-dist 1.0: ")
    assert expected in str(caught.value)
