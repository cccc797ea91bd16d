"""The hooks are sound, importing starts nothing, and the distribution says what it is."""

from __future__ import annotations

from importlib import util
from pathlib import Path
from typing import Any

import importlib_metadata
import pytest
from packaging.requirements import Requirement

from event_brokers import plugins
from event_brokers.testing import contract
from event_brokers.testing.answers import Answers
from event_brokers.testing.check import check
from event_brokers.testing.child_process import run_child
from event_brokers.testing.contract import fail, hold
from event_brokers.testing.loading import load_plugin
from event_brokers.testing.report import NOT_PROVEN
from event_brokers.wording import first_line

_CORE = "event-brokers"
_IMPORT_SECONDS = 60.0  # after which a process that imports is given up


class MetadataChecks(Answers):
    """The plugin's hooks are sound, and its distribution says what it is."""

    @check(works_unloaded=True)
    def test_the_hooks_are_sound(self) -> None:
        """Every hook is known, none is missing, async, or has an argument with a default."""
        try:
            load_plugin(self.type, self.entry_point)
        except Exception as error:  # noqa: BLE001 - whatever it is, the author reads it
            fail(f"the plugin cannot be used: {first_line(error)}", contract.SOUND_HOOKS)

    @check()
    def test_importing_it_starts_nothing(self) -> None:
        """Importing the plugin is quick, touches no network and starts no thread."""
        ended = run_child(self, "import", {}, _IMPORT_SECONDS)
        hold(
            ended.code == 0 and ended.found is not None,
            f"a process that imports the plugin ended with {ended.code}: {ended.error}",
            contract.IMPORT_STARTS_NOTHING,
        )
        hold(
            not ended.found["network"],
            f"importing the plugin touches the network: {', '.join(ended.found['network'])}",
            contract.IMPORT_STARTS_NOTHING,
        )
        hold(
            ended.found["threads"] == 0,
            f"importing the plugin starts {ended.found['threads']} threads",
            contract.IMPORT_STARTS_NOTHING,
        )
        hold(
            ended.found["seconds"] <= self.import_seconds,
            f"importing the plugin takes more than {self.import_seconds:g} s",
            contract.IMPORT_STARTS_NOTHING,
        )

    @check()
    def test_the_entry_point_is_right(self) -> None:
        """One distribution registers the type, in the group `event_brokers`."""
        entries = self._entry_points()
        hold(
            len(entries) == 1,
            f"{len(entries)} entry points of the group 'event_brokers' serve '{self.type}'",
            contract.REGISTERED,
        )
        hold(
            entries[0].name == entries[0].name.casefold(),
            f"the entry point '{entries[0].name}' is not in lower case",
            contract.REGISTERED,
        )

    @check()
    def test_the_distribution_says_what_it_is(self) -> None:
        """Its metadata has a version, a summary, and the range of the core that it works with."""
        distribution = self._entry_points()[0].dist
        metadata = distribution.metadata
        lacking = [name for name in ("Name", "Version", "Summary") if not metadata.get(name)]
        hold(not lacking, f"the metadata lacks {', '.join(lacking)}", contract.REGISTERED)
        wanted = [Requirement(text) for text in distribution.requires or []]
        core = [each for each in wanted if each.name == _CORE]
        hold(
            bool(core) and any("<" in part.operator or part.operator == "~="
                               for each in core for part in each.specifier),
            "the distribution does not say which versions of event-brokers it works with, such as "
            ">=0.1,<0.2",
            contract.REGISTERED,
        )  # fmt: skip

    @check()
    def test_the_package_is_typed(self) -> None:
        """Its package has a `py.typed`, so that type checkers look into it."""
        module = self._entry_points()[0].module.partition(".")[0]
        found = util.find_spec(module)
        places = [] if found is None else found.submodule_search_locations or []
        hold(
            any((Path(place) / "py.typed").exists() for place in places),
            f"the package '{module}' has no file py.typed",
            contract.REGISTERED,
        )

    def _entry_points(self) -> list[Any]:
        if self.entry_point is not None:
            pytest.skip(f"{NOT_PROVEN}an installed distribution")
        found = importlib_metadata.entry_points(group=plugins.GROUP)
        return [each for each in found if each.name.casefold() == self.type.casefold()]
