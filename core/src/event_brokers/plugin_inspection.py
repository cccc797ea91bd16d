"""What can be said of an installed plugin without its broker: hooks, options, metadata, import."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from importlib.util import find_spec
from pathlib import Path

import msgspec

from event_brokers.core_range import CORE, range_of_core
from event_brokers.errors import PluginError
from event_brokers.import_cost import import_cost
from event_brokers.option_types import in_words, secret_types
from event_brokers.options import Options, describe
from event_brokers.plugins import GROUP, InstalledPlugin, Plugin
from event_brokers.registrations import Registration, registrations
from event_brokers.secret import means_secret

IMPORT_SECONDS = 5.0  # that importing a plugin may take

_HOOKS = {
    "options": "its options are not validated before anything connects",
    "check": "`event-brokers check` connects and closes, and says no more than that",
    "consume": "its events cannot be read back",
}
_TEXTS = ("text", "list of text", "anything")
_PLACES = ("_url", "_file", "_path")  # where a secret comes from is none


class Verdict(str, Enum):
    """What a finding means for the plugin's author."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        verdict: whether something is to be changed.
        text: a clause.
    """

    verdict: Verdict
    text: str


def inspect_plugin(installed: InstalledPlugin) -> list[Finding]:
    """Return what there is to say of a plugin.

    Parameters:
        installed: as `plugins.installed` gives it.
    """
    findings = list(_of_metadata(installed))
    if installed.plugin is None:
        return [Finding(Verdict.WRONG, str(installed.problem)), *findings]
    return [
        *_of_hooks(installed.plugin),
        *_of_options(installed.plugin.options_class),
        *findings,
        *_of_import(installed.type),
    ]


def _of_hooks(plugin: Plugin) -> Iterator[Finding]:
    present = [name for name in ("connect", "publish", "close", *_HOOKS) if plugin.has(name)]
    yield Finding(Verdict.OK, f"hooks: {', '.join(present)}")
    for name, lacking in _HOOKS.items():
        if not plugin.has(name):
            yield Finding(Verdict.NOTE, f"no hook '{name}': {lacking}")


def undescribed(options: type[Options]) -> list[str]:
    """Return the options of a class of which it does not say what they do."""
    return [each.name for each in describe(options) if not each.text.strip()]


def shown_secrets(options: type[Options]) -> list[str]:
    """Return the options that have the name of a secret, and a type that shows it."""
    return [field.encode_name for field in msgspec.structs.fields(options) if _is_shown(field)]


def has_an_end(wanted: str | None) -> bool:
    """Return whether a range of the core, such as ">=0.1,<0.2", ends somewhere.

    Parameters:
        wanted: as `range_of_core` gives it.
    """
    return wanted is not None and any(bound in wanted for bound in ("<", "~=", "=="))


def is_typed(module: str) -> bool:
    """Return whether type checkers look into a package: it has a file `py.typed`.

    Parameters:
        module: the package, or a module in it.
    """
    try:
        found = find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return False  # that it is not there is the plugin's own problem
    places = [] if found is None else found.submodule_search_locations or []
    return any((Path(place) / "py.typed").exists() for place in places)


def _of_options(options: type[Options] | None) -> Iterator[Finding]:
    if options is None:
        return
    silent, shown = undescribed(options), shown_secrets(options)
    for name in silent:
        yield Finding(Verdict.WRONG, f"option '{name}': add msgspec.Meta(description=\"...\")")
    for name in shown:
        text = f"option '{name}': would be shown in logs; make its type event_brokers.Secret"
        yield Finding(Verdict.WRONG, text)
    if not options.place:
        text = "place: names no option; a spool does not notice when it is used for another place"
        yield Finding(Verdict.NOTE, text)
    if not silent and not shown:
        count = len(describe(options))
        yield Finding(Verdict.OK, f"options: {count}, each described, no secret shown")


def _is_shown(field: msgspec.structs.FieldInfo) -> bool:
    name = field.encode_name
    if not means_secret(name) or name.endswith(_PLACES) or secret_types(field.type):
        return False
    words = in_words(msgspec.inspect.type_info(field.type))
    return any(text in words for text in _TEXTS)


def _of_metadata(installed: InstalledPlugin) -> Iterator[Finding]:
    for registration in _registrations(installed):
        findings = [*_of_names(registration), *_of_distribution(registration)]
        yield from findings
        if not findings:
            wanted = range_of_core(registration.requires)
            yield Finding(Verdict.OK, f"metadata: {registration}, for {CORE}{wanted}, typed")


def _of_names(registration: Registration) -> Iterator[Finding]:
    if registration.name != registration.name.casefold():
        text = f"entry point '{registration.name}': write the type in lower case"
        yield Finding(Verdict.WRONG, text)
    if not is_typed(registration.module):
        text = f"package '{registration.module.partition('.')[0]}': add a file py.typed"
        yield Finding(Verdict.WRONG, text)


def _of_distribution(registration: Registration) -> Iterator[Finding]:
    if registration.problem is not None:
        return  # the plugin's own problem says so
    if not registration.summary:
        yield Finding(Verdict.WRONG, "metadata: no summary; add a description to pyproject.toml")
    wanted = range_of_core(registration.requires)
    if not has_an_end(wanted):
        text = (
            f"metadata: no range of {CORE} with an end; depend on what the plugin is built for, "
            "such as >=0.1,<0.2"
        )
        yield Finding(Verdict.WRONG, text)


def _of_import(type_name: str) -> Iterator[Finding]:
    try:
        cost = import_cost(type_name)
    except PluginError as error:
        yield Finding(Verdict.WRONG, str(error))
        return
    if cost.network:
        text = f"importing it touches the network: {', '.join(cost.network)}"
        yield Finding(Verdict.WRONG, text)
    if cost.threads:
        yield Finding(Verdict.WRONG, f"importing it starts threads: {cost.threads}")
    verdict = Verdict.OK if cost.seconds <= IMPORT_SECONDS else Verdict.WRONG
    limit = "" if verdict is Verdict.OK else f", and may take {IMPORT_SECONDS:g} s"
    yield Finding(verdict, f"import: takes {cost.seconds:.2f} s{limit}")


def _registrations(installed: InstalledPlugin) -> list[Registration]:
    return [
        each
        for each in registrations(GROUP)
        if each.name.casefold() == installed.type and each.distribution == installed.distribution
    ]
