"""From a type name to the one plugin that serves it."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec
import pluggy

from event_brokers import hookspecs
from event_brokers.errors import ConfigurationError, PluginError
from event_brokers.options import Options, refuse_unsound
from event_brokers.wording import did_you_mean, name_and_first_line

if TYPE_CHECKING:
    import importlib_metadata

GROUP = "event_brokers"
REQUIRED_HOOKS = ("connect", "publish", "close")

# the one place where the core knows of other distributions: to say what to install
DISTRIBUTIONS = {
    "pika": "event-brokers-pika",
    "kafka": "event-brokers-kafka",
    "sql": "event-brokers-sql",
}
# to come, so that whoever has such a section knows what to wait for
COMING_DISTRIBUTIONS = {"file": "event-brokers-file"}
_OTHER_NAMES = {"concurrent_kafka": "kafka"}


class Plugin:
    """One plugin, alone in a pluggy manager of its own, with every hook found sound.

    Parameters:
        type_name: the type it serves, in lower case.
        distribution: the distribution that registered it, with its version.
        implementation: the module or object that holds the hooks.

    Attributes:
        hook: pluggy's relay: `plugin.hook.connect(options=...)`.
        options_class: what its `options` hook names; None without that hook.

    Raises:
        PluginError: it is a class whose methods want an instance, a hook is missing, misspelt,
            async, or has an argument with a default, or its options class is unsound.
    """

    def __init__(self, type_name: str, distribution: str, implementation: Any) -> None:
        self.type = type_name
        self.distribution = distribution
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        self._refuse_class(implementation)
        self._register(manager, implementation)
        self._refuse_unknown_hooks(manager)
        self._refuse_missing_hooks(manager)
        self._refuse_unusable_functions(manager)
        self.hook = manager.hook
        self.options_class = self._find_options_class()

    def has(self, hook_name: str) -> bool:
        """Return whether the plugin implements an optional hook."""
        return bool(getattr(self.hook, hook_name).get_hookimpls())

    def error(self, text: str) -> PluginError:
        """Return the error that tells the plugin's author what to change."""
        return PluginError(f"the plugin '{self.type}' of {self.distribution}: {text}")

    def _refuse_class(self, implementation: Any) -> None:
        if not inspect.isclass(implementation):
            return
        for name in dir(implementation):
            member = inspect.getattr_static(implementation, name)
            is_hook = inspect.isfunction(member) and hasattr(member, f"{hookspecs.PROJECT}_impl")
            if is_hook and next(iter(inspect.signature(member).parameters), "") == "self":
                raise self.error(
                    f"{implementation.__name__} is a class, and hook '{name}' wants an instance; "
                    "register an instance of it"
                )

    def _register(self, manager: pluggy.PluginManager, implementation: Any) -> None:
        try:
            manager.register(implementation, name=self.type)
        except pluggy.PluginValidationError as error:
            raise self.error(_last_lines(error)) from error

    def _refuse_unknown_hooks(self, manager: pluggy.PluginManager) -> None:
        known = [name for name, caller in vars(manager.hook).items() if caller.spec is not None]
        for name, caller in vars(manager.hook).items():
            if caller.spec is None:
                raise self.error(f"'{name}' is not a hook{did_you_mean(name, known)}")

    def _refuse_missing_hooks(self, manager: pluggy.PluginManager) -> None:
        for name in REQUIRED_HOOKS:
            if not getattr(manager.hook, name).get_hookimpls():
                raise self.error(f"hook '{name}' is missing; implement it and mark it @hookimpl")

    def _refuse_unusable_functions(self, manager: pluggy.PluginManager) -> None:
        for name, caller in vars(manager.hook).items():
            for implementation in caller.get_hookimpls():
                self._refuse_unusable_function(name, implementation.function)

    def _refuse_unusable_function(self, name: str, function: Any) -> None:
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise self.error(f"hook '{name}' is async; nothing would await it, so make it a def")
        for argument in inspect.signature(function).parameters.values():
            if argument.default is not inspect.Parameter.empty:
                raise self.error(
                    f"hook '{name}': argument '{argument.name}' has a default, "
                    "so it would never be passed; remove the default"
                )

    def _find_options_class(self) -> type[Options] | None:
        if not self.has("options"):
            return None
        try:
            options_class = self.hook.options()
        except Exception as error:
            raise self.error(f"hook 'options' raised {type(error).__name__}") from error
        if not (isinstance(options_class, type) and issubclass(options_class, Options)):
            raise self.error("hook 'options' must return a subclass of event_brokers.Options")
        try:
            refuse_unsound(options_class)
        except Exception as error:
            said = str(error) if isinstance(error, ValueError) else name_and_first_line(error)
            raise self.error(f"options class {options_class.__name__}: {said}") from error
        return options_class


class InstalledPlugin(msgspec.Struct, frozen=True):
    """One entry of the group `event_brokers`, usable or not.

    Attributes:
        type: the type it claims.
        distribution: the name of the distribution that registered it.
        version: that distribution's version.
        plugin: the plugin itself; None where it cannot be used.
        problem: why it cannot be used, a sentence; None where it can.
    """

    type: str
    distribution: str
    version: str
    plugin: Plugin | None = None
    problem: str | None = None


def load(type_name: str) -> Plugin:
    """Return the plugin that serves a type, importing that one alone.

    Parameters:
        type_name: the `type` of the `event_broker` section, in any case.

    Raises:
        ConfigurationError: none serves it, it is not installed, or two distributions claim it.
        PluginError: it is installed and cannot be used.
    """
    wanted = type_name.casefold()
    claims = _claims(wanted)
    if not claims and wanted in _OTHER_NAMES:
        wanted = _OTHER_NAMES[wanted]
        claims = _claims(wanted)
    if not claims:
        raise ConfigurationError(_not_found(wanted))
    if len(claims) > 1:
        names = " and ".join(_distribution(entry) for entry in claims)
        raise ConfigurationError(f"{names} both serve '{wanted}'; uninstall one of them")
    return _load(claims[0])


def installed() -> list[InstalledPlugin]:
    """Return every installed plugin, sorted by type, also those that cannot be used.

    Nothing that a plugin raises comes out of here, not even KeyboardInterrupt: who wants to end
    it by a signal notes the signal, as `StopSignals` of the command line does.
    """
    return [_inspect(entry) for entry in sorted(_entry_points(), key=lambda entry: entry.name)]


def _claims(wanted: str) -> list[importlib_metadata.EntryPoint]:
    return [entry for entry in _entry_points() if entry.name.casefold() == wanted]


def _entry_points() -> list[importlib_metadata.EntryPoint]:
    import importlib_metadata  # noqa: PLC0415 - not needed before the first broker is made

    # importlib-metadata looks at a distribution once, however often it stands on the path
    found = {
        (entry.name.casefold(), entry.dist.name): entry
        for entry in reversed(tuple(importlib_metadata.entry_points(group=GROUP)))
        if entry.dist is not None
    }
    return list(reversed(found.values()))


def _distribution(entry: importlib_metadata.EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _not_found(wanted: str) -> str:
    if wanted in DISTRIBUTIONS:
        return f"'{wanted}' is not installed; pip install {DISTRIBUTIONS[wanted]}"
    if wanted in COMING_DISTRIBUTIONS:
        return f"no plugin serves '{wanted}' yet; {COMING_DISTRIBUTIONS[wanted]} is to"
    present = sorted({entry.name.casefold() for entry in _entry_points()})
    guess = did_you_mean(wanted, [*present, *DISTRIBUTIONS]) or ";"
    return f"no plugin serves '{wanted}'{guess} installed: {', '.join(present) or 'none'}"


def _load(entry: importlib_metadata.EntryPoint) -> Plugin:
    try:
        implementation: ModuleType | Any = entry.load()
    except Exception as error:
        raise _error(entry, f"cannot be imported: {name_and_first_line(error)}") from error
    try:
        return Plugin(entry.name.casefold(), _distribution(entry), implementation)
    except PluginError:
        raise
    except Exception as error:
        raise _error(entry, f"cannot be registered: {name_and_first_line(error)}") from error


def _inspect(entry: importlib_metadata.EntryPoint) -> InstalledPlugin:
    name, version = (entry.dist.name, entry.dist.version) if entry.dist else ("", "")
    plugin, problem = None, None
    try:
        plugin = _load(entry)
    except PluginError as error:
        problem = str(error)
    except BaseException as error:  # noqa: BLE001 - one that ends the program ends no listing
        problem = str(_error(entry, f"ends the program: {name_and_first_line(error)}"))
    return InstalledPlugin(entry.name.casefold(), name, version, plugin, problem)


def _error(entry: importlib_metadata.EntryPoint, text: str) -> PluginError:
    return PluginError(f"the plugin '{entry.name.casefold()}' of {_distribution(entry)}: {text}")


def _last_lines(error: pluggy.PluginValidationError) -> str:
    """Return what pluggy says, without its first line, which names the plugin as we do."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ", ".join(lines[1:] or lines)
