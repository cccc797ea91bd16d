"""One plugin is found by its name, loaded alone, and refused with a sentence if it is unsound."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

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


class Instance:
    """A plugin as an object; its class alone is none."""

    @hookimpl
    def connect(self, options: Any) -> object:  # noqa: ARG002 - the hook's signature
        """Connect."""
        return self

    @hookimpl
    def publish(self, connection: Any, events: Any) -> None:
        """Publish."""

    @hookimpl
    def close(self, connection: Any) -> None:
        """Close."""


class Static:
    """A plugin as a class that needs no instance."""

    @staticmethod
    @hookimpl
    def connect(options: Any) -> object:  # noqa: ARG004 - the hook's signature
        """Connect."""
        return "connected"

    @staticmethod
    @hookimpl
    def publish(connection: Any, events: Any) -> None:
        """Publish."""

    @classmethod
    @hookimpl
    def close(cls, connection: Any) -> None:
        """Close."""


def test_a_class_whose_methods_want_an_instance_is_refused() -> None:
    """Else `publish` would be a TypeError for ever, and no event be delivered."""
    with pytest.raises(PluginError) as caught:
        Plugin("mine", "my-dist 1.0", Instance)
    assert str(caught.value) == (
        "the plugin 'mine' of my-dist 1.0: Instance is a class, and hook 'close' wants an "
        "instance; register an instance of it"
    )
    assert Plugin("mine", "my-dist 1.0", Instance()).hook.connect(options={}, used=set())


def test_a_class_that_needs_no_instance_is_a_plugin() -> None:
    """All of its hooks are static, or want the class."""
    plugin = Plugin("mine", "my-dist 1.0", Static)
    assert plugin.hook.connect(options={}, used=set()) == "connected"
    plugin.hook.publish(connection="connected", events=[])
    plugin.hook.close(connection="connected")


OPTIONS = """
from typing import Annotated
import msgspec
from event_brokers import Options
@hookimpl
def options():
    class Mine(Options, frozen=True, kw_only=True):
        count: Annotated[int | None, msgspec.Meta(ge=1)] = None
    return Mine
"""
HOOK = f"{SOUND}@hookimpl\ndef options(): "
ENDS = "class Ends(BaseException): pass\n"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (SOUND + OPTIONS, "options class Mine: option 'count': can only set `ge` on a numeric"),
        (HOOK + "raise ValueError('x')", "hook 'options' raised ValueError"),
        (HOOK + "raise SystemExit(3)", "ends the program: SystemExit: 3"),
        (HOOK + "raise KeyboardInterrupt", "ends the program: KeyboardInterrupt"),
        ("raise SystemExit('no client')", "ends the program: SystemExit: no client"),
        ("import sys; sys.exit()", "ends the program: SystemExit"),
        ("raise KeyboardInterrupt", "ends the program: KeyboardInterrupt"),
        (ENDS + "raise Ends('all of it')", "ends the program: Ends: all of it"),
        ("raise RecursionError('a\\nb')", "cannot be imported: RecursionError: a"),
        (SOUND + "def __dir__(): raise OSError('x')", "cannot be registered: OSError: x"),
    ],
)  # fmt: skip
def test_no_plugin_breaks_the_listing(folder: Path, source: str, problem: str) -> None:
    """Whatever its module, its hook or its options class does: it is listed with its problem."""
    name = f"broken-{uuid4()}"  # a module is imported once
    write_plugin(folder, "broken", source, name)
    write_plugin(folder, "sound", SOUND, "sound-dist")
    found = {plugin.type: plugin for plugin in installed()}
    assert found["sound"].plugin is not None
    assert found["broken"].plugin is None
    said = f"the plugin 'broken' of {name} 1.0: {problem}"
    assert str(found["broken"].problem).startswith(said)
    assert "\n" not in str(found["broken"].problem)
