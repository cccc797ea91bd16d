"""The hooks are sound, importing starts nothing, and the distribution says what it is."""

from __future__ import annotations

import pytest

from event_brokers import plugins
from event_brokers.core_range import range_of_core
from event_brokers.import_cost import LONGEST_SECONDS
from event_brokers.plugin_inspection import has_an_end, is_typed
from event_brokers.registrations import Registration, registrations
from event_brokers.testing import contract
from event_brokers.testing.answers import Answers
from event_brokers.testing.check import check
from event_brokers.testing.child_process import run_child
from event_brokers.testing.contract import fail, hold
from event_brokers.testing.loading import load_plugin
from event_brokers.testing.report import NOT_PROVEN
from event_brokers.wording import first_line


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
        ended = run_child(self, "import", {}, LONGEST_SECONDS)
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
        entries = self._registrations()
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
        registered = self._registrations()[0]
        hold(
            registered.problem is None,
            f"the distribution cannot be used: {registered.problem}",
            contract.REGISTERED,
        )
        hold(bool(registered.summary), "the metadata lacks Summary", contract.REGISTERED)
        hold(
            has_an_end(range_of_core(registered.requires)),
            "the distribution does not say which versions of event-brokers it works with, such as "
            ">=0.1,<0.2",
            contract.REGISTERED,
        )

    @check()
    def test_the_package_is_typed(self) -> None:
        """Its package has a `py.typed`, so that type checkers look into it."""
        module = self._registrations()[0].module
        hold(
            is_typed(module),
            f"the package '{module.partition('.')[0]}' has no file py.typed",
            contract.REGISTERED,
        )

    def _registrations(self) -> list[Registration]:
        if self.entry_point is not None:
            pytest.skip(f"{NOT_PROVEN}an installed distribution")
        found = registrations(plugins.GROUP)
        return [each for each in found if each.name.casefold() == self.type.casefold()]
