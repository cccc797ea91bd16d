"""From a type name to the one plugin that serves it."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Sequence
from typing import Any

import msgspec
import pluggy

from event_brokers import hookspecs
from event_brokers.core_range import mismatch, range_of_core, version_of_core
from event_brokers.errors import ConfigurationError, PluginError
from event_brokers.options import Options, refuse_unsound
from event_brokers.registrations import Registration, registrations, unreadable
from event_brokers.signal_handlers import is_from_signal_handler
from event_brokers.wording import did_you_mean, name_and_first_line

GROUP = "event_brokers"
REQUIRED_HOOKS = ("connect", "publish", "close")

# the one place where the core knows of other distributions: to say what to install
DISTRIBUTIONS = {
    "pika": "event-brokers-pika",
    "kafka": "event-brokers-kafka",
    "sql": "event-brokers-sql",
    "file": "event-brokers-file",
    "http": "event-brokers-http",
}
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
        self._refuse_wrong_object(manager, implementation)
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

    def _refuse_wrong_object(self, manager: pluggy.PluginManager, implementation: Any) -> None:
        if any(caller.get_hookimpls() for caller in vars(manager.hook).values()):
            return
        raise self.error(
            f"its entry point leads to {_kind_of(implementation)}, which has no hook; register "
            "what has connect, publish and close, each marked @hookimpl"
        )

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
        raise ConfigurationError(_claimed_twice(wanted, claims))
    return _load(claims[0])


def installed() -> list[InstalledPlugin]:
    """Return every installed plugin, sorted by type, also those that cannot be used.

    Nothing that a plugin raises comes out of here, not even KeyboardInterrupt: who wants to end
    it by a signal notes the signal, as `StopSignals` of the command line does.
    """
    claims: dict[str, list[Registration]] = {}
    for each in registrations(GROUP):
        claims.setdefault(each.name.casefold(), []).append(each)
    found = [_inspect(type_name, claims[type_name]) for type_name in sorted(claims)]
    lost = [InstalledPlugin("?", name, "", problem=problem) for name, problem in unreadable()]
    return [*itertools.chain.from_iterable(found), *lost]


def _claims(wanted: str) -> list[Registration]:
    return registrations(GROUP, wanted)


def _not_found(wanted: str) -> str:
    if wanted in DISTRIBUTIONS:
        return f"'{wanted}' is not installed; pip install {DISTRIBUTIONS[wanted]}"
    present = sorted({each.name.casefold() for each in registrations(GROUP)})
    guess = did_you_mean(wanted, [*present, *DISTRIBUTIONS]) or ";"
    lost = "".join(f"; {name}: {problem}" for name, problem in unreadable())
    return f"no plugin serves '{wanted}'{guess} installed: {', '.join(present) or 'none'}{lost}"


def _claimed_twice(wanted: str, claims: Sequence[Registration]) -> str:
    names = " and ".join(str(each) for each in claims)
    return f"{names} both serve '{wanted}'; uninstall one of them"


def _load(registration: Registration) -> Plugin:
    problem = registration.problem or _built_for_another_core(registration)
    if problem is not None:
        raise _error(registration, problem)
    implementation = _import(registration)
    try:
        return Plugin(registration.name.casefold(), str(registration), implementation)
    except PluginError:
        raise
    except BaseException as error:
        raise _failed(registration, "cannot be registered", error) from error


def _import(registration: Registration) -> Any:
    try:
        return registration.load()
    except BaseException as error:
        raise _failed(registration, "cannot be imported", error) from error


def _failed(registration: Registration, what: str, error: BaseException) -> PluginError:
    """Return the error that stands for whatever a plugin has raised.

    Raises:
        BaseException: that very error, where a signal handler of the application has raised it.
    """
    if is_from_signal_handler(error):
        raise error
    words = what if isinstance(error, Exception) else "ends the program"
    return _error(registration, f"{words}: {name_and_first_line(error)}")


def _built_for_another_core(registration: Registration) -> str | None:
    wanted = range_of_core(registration.requires)
    present = version_of_core()
    if wanted is None or present is None:
        return None
    return mismatch(wanted, present, registration.distribution)


def _inspect(type_name: str, claims: Sequence[Registration]) -> list[InstalledPlugin]:
    if len(claims) == 1:
        return [_inspect_one(type_name, claims[0])]
    problem = _claimed_twice(type_name, claims)
    return [
        InstalledPlugin(type_name, each.distribution, each.version, problem=problem)
        for each in claims
    ]


def _inspect_one(type_name: str, registration: Registration) -> InstalledPlugin:
    plugin, problem = None, None
    try:
        plugin = _load(registration)
    except PluginError as error:
        problem = str(error)
    except BaseException as error:  # noqa: BLE001 - one that ends the program ends no listing
        problem = str(_error(registration, f"ends the program: {name_and_first_line(error)}"))
    name, version = registration.distribution, registration.version
    return InstalledPlugin(type_name, name, version, plugin, problem)


def _error(registration: Registration, text: str) -> PluginError:
    return PluginError(f"the plugin '{registration.name.casefold()}' of {registration}: {text}")


def _kind_of(implementation: Any) -> str:
    """Return "the module event_brokers_lines", "an object of type int": what was registered."""
    if inspect.ismodule(implementation) or inspect.isclass(implementation):
        kind = "module" if inspect.ismodule(implementation) else "class"
        return f"the {kind} {implementation.__name__}"
    return f"an object of type {type(implementation).__name__}"


def _last_lines(error: pluggy.PluginValidationError) -> str:
    """Return what pluggy says, without its first line, which names the plugin as we do."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ", ".join(lines[1:] or lines)
