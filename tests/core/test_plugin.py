"""What a plugin may import: `event_brokers.plugin`, and what it exports."""

from __future__ import annotations

import subprocess
import sys

import pytest

import event_brokers
from event_brokers import plugin


def test_every_name_that_is_exported_is_there() -> None:
    """`dir()` lists the exports and nothing else, and each of them can be had."""
    assert dir(plugin) == sorted(plugin.__all__)
    assert all(getattr(plugin, name) is not None for name in plugin.__all__)


def test_names_that_users_have_too_are_the_same() -> None:
    """A plugin's ConfigurationError is the one that the application catches."""
    shared = set(plugin.__all__) & set(event_brokers.__all__)
    assert {"ConfigurationError", "Event", "ReceivedEvent", "Secret", "hookimpl"} <= shared
    for name in shared:
        assert getattr(plugin, name) is getattr(event_brokers, name)


def test_every_error_is_exported() -> None:
    """A plugin needs no other module to raise or catch what the core knows."""
    errors = {name for name in vars(event_brokers.errors) if name[0].isupper()}
    errors -= {"Iterable", "Mapping"}
    assert errors <= set(plugin.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        plugin.nothing  # noqa: B018 - the access is what is tested


def test_importing_it_imports_nothing_else() -> None:
    """Whoever imports a plugin pays for what it uses."""
    code = "import sys, event_brokers.plugin; print('msgspec' in sys.modules, 'ssl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
