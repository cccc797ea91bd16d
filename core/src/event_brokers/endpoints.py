"""From `endpoints.yml` to settings; every configuration error is worded here."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, inspect
from msgspec.structs import fields

from event_brokers import plugins
from event_brokers import section as sections
from event_brokers.errors import ConfigurationError
from event_brokers.options import Options, in_words
from event_brokers.plugins import Plugin
from event_brokers.secret import Secret, mask
from event_brokers.section import Section
from event_brokers.wording import did_you_mean

logger = logging.getLogger("event_brokers")

MAX_PENDING = 100_000  # in memory, where nothing else is said
DEFAULT_TYPE = "pika"  # as in Rasa, where `type` may be left out

_RASA_PRO = {
    "topics": "sends events to several topics",
    "anonymization_topics": "sends anonymised events to topics of their own",
    "anonymization_queues": "sends anonymised events to queues of their own",
    "stream_pii": "keeps personal data out of the stream",
}
_SECRET_NAMES = ("password", "secret", "token")

_OptionsClass = TypeVar("_OptionsClass", bound=Options)


class DeliveryOptions(Options, frozen=True, kw_only=True):
    """The `delivery` section, the same for every type."""

    spool: Annotated[
        str | None,
        Meta(description="folder in which events wait on disk; without it they wait in memory"),
    ] = None
    durability: Annotated[
        Literal["power", "process"],
        Meta(description="what an event in the spool outlives: a power cut, or only the process"),
    ] = "power"
    max_pending: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description=f"events that may wait; in memory {MAX_PENDING} unless given"),
    ] = None
    max_bytes: Annotated[
        int, Meta(ge=1, description="bytes that waiting events may take; in a spool, of its file")
    ] = 1024**3
    max_dead_letter_bytes: Annotated[
        int,
        Meta(
            ge=1,
            description="bytes that dead letters may take; in memory the oldest are forgotten, "
            "a spool halts",
        ),
    ] = 100 * 1024**2
    max_attempts: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="how often an event may fail alone, in a way that the plugin does not "
            "foresee, before it is a dead letter; without it, for ever"
        ),
    ] = None
    exit_timeout: Annotated[
        float, Meta(ge=0, description="seconds the end of the program waits for delivery")
    ] = 5.0


class Settings(msgspec.Struct, frozen=True):
    """What an EventBroker is made of.

    Attributes:
        plugin: the plugin that serves the type.
        options: an instance of the plugin's options class, or a dict where it has none.
        delivery: how events wait, the same for every type.
    """

    plugin: Plugin
    options: Any
    delivery: DeliveryOptions

    def place(self) -> str:
        """Return where events go, in words, without secrets: "type kafka, topic events"."""
        return f"type {self.plugin.type}"

    def secrets(self) -> list[str]:
        """Return every text of the options that must never be shown."""
        if isinstance(self.options, Options):
            values = [getattr(self.options, name) for name in self.options.__struct_fields__]
            return [text for value in values for text in _secrets_of(value)]
        return [
            str(value)
            for name, value in self.options.items()
            if value and any(word in name.casefold() for word in _SECRET_NAMES)
        ]


def read(source: str | os.PathLike[str] | Mapping[str, Any]) -> Settings:
    """Return the settings that an `endpoints.yml`, or its section as a mapping, stands for.

    Parameters:
        source: the file's path, or a mapping that is the `event_broker` section itself.

    Raises:
        ConfigurationError: one sentence that names file, line, option and the way out.
    """
    if isinstance(source, Mapping):
        return _settings(sections.from_mapping(source))
    return _settings(sections.from_file(source))


def settings_for(type_name: str, options: Mapping[str, Any]) -> Settings:
    """Return the settings for options given in Python, taken to the letter.

    Parameters:
        type_name: the type, such as "pika".
        options: option -> value; None means not given; may hold `delivery`.

    Raises:
        ConfigurationError: as for `read`.
    """
    return _settings(sections.from_literals({**options, "type": type_name}))


def read_options(
    section: Section, options_class: type[_OptionsClass], own: Sequence[str] = ("type",)
) -> _OptionsClass:
    """Return the options of one class that a section gives.

    Parameters:
        section: of `endpoints.yml`, or of a mapping.
        options_class: names the options and their types.
        own: keys of the section that are none of its options.

    Raises:
        ConfigurationError: one sentence that names file, line, option and the way out.
    """
    given = {name: value for name, value in section.values.items() if name not in own}
    return _Reader(options_class, section).read(given)


def _settings(written: Section) -> Settings:
    section = sections.without_rasa(written)
    plugin = _plugin(section)
    delivery = section.values.get("delivery") or {}
    if not isinstance(delivery, Mapping):
        raise section.error("must hold options, such as max_pending: 1000", "delivery")
    return Settings(
        plugin=plugin,
        options=_plugin_options(plugin, section),
        delivery=_Reader(DeliveryOptions, section, ("delivery",)).read(delivery),
    )


def _plugin_options(plugin: Plugin, section: Section) -> Any:
    own = ("type", "delivery")
    if plugin.options_class is None:
        return {name: value for name, value in section.values.items() if name not in own}
    return read_options(section, plugin.options_class, own)


def _plugin(section: Section) -> Plugin:
    type_name = section.values.get("type") or DEFAULT_TYPE
    if not isinstance(type_name, str):
        raise section.error(f"{_shown(type_name)} is not text", section.type_key)
    try:
        return plugins.load(type_name)
    except ConfigurationError as error:
        raise type(error)(f"{section.where(section.type_key)}: {error}") from error.__cause__


class _Reader(Generic[_OptionsClass]):
    """Reads the options of one class from a part of the section."""

    def __init__(
        self,
        options_class: type[_OptionsClass],
        section: Section,
        path: tuple[str, ...] = (),
    ) -> None:
        self._class = options_class
        self._section = section
        self._path = path
        self._fields = {field.encode_name: field for field in fields(options_class)}
        self._owner = path[-1] if path else section.values.get("type") or DEFAULT_TYPE

    def read(self, given: Mapping[str, Any]) -> _OptionsClass:
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for name, value in given.items():
            if self._is_superseded(name):
                continue
            option = self._option(name)
            if value is None:
                continue
            if option in origins:
                raise self._error(f"says the same as '{origins[option]}'; give one of them", name)
            origins[option] = name
            values[option] = self._value(option, name, value)
        self._refuse_missing(values)
        try:
            return self._class(**values)
        except ValueError as error:
            raise self._broken_rule(error, origins) from error

    def _is_superseded(self, name: str) -> bool:
        instead = self._class.superseded.get(name)
        if instead is None:
            return False
        logger.warning("%s: %s", self._section.where(*self._path, name), instead)
        return True

    def _option(self, name: str) -> str:
        """Return the option that a key of the section stands for."""
        option = self._class.synonyms.get(name, name)
        if option in self._fields:
            return option
        if option.endswith("_file") and self._is_secret(option.removesuffix("_file")):
            return option.removesuffix("_file")
        if name in _RASA_PRO and not self._path:
            raise self._error(
                f"only Rasa Pro {_RASA_PRO[name]}; ignoring it could let personal data flow, "
                "so take it out if you do not need it",
                name,
            )
        known = [*self._fields, *self._class.synonyms]
        raise self._error(f"unknown option of '{self._owner}'{did_you_mean(name, known)}", name)

    def _is_secret(self, option: str) -> bool:
        return option in self._fields and _mentions_secret(self._fields[option].type)

    def _value(self, option: str, name: str, value: Any) -> Any:
        if self._class.synonyms.get(name, name) != option:
            value = self._read_file(name, value)
        annotation = self._fields[option].type
        for candidate in (value, _in_case_of(annotation, value)):
            try:
                # lax, so that "5672" from an environment variable is a number, but only after
                # strict, so that the text "null" stays text
                return _convert(candidate, annotation)
            except msgspec.ValidationError:
                continue
        raise self._error(self._wrong_type(option, value), name)

    def _wrong_type(self, option: str, value: Any) -> str:
        wanted = in_words(inspect.type_info(self._fields[option].type))
        shown = "the value" if self._is_secret(option) else _shown(value)
        quotes = not isinstance(value, (str, list, Mapping)) and wanted.startswith("text")
        return f"{shown} is not {wanted}" + ("; put it in quotes" if quotes else "")

    def _read_file(self, name: str, file: Any) -> str:
        if not isinstance(file, str):
            raise self._error(f"{_shown(file)} is not the path of a file", name)
        try:
            return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise self._error(f"'{file}' cannot be read: {reason.lower()}", name) from error

    def _refuse_missing(self, values: Mapping[str, Any]) -> None:
        for name, field in self._fields.items():
            if field.required and name not in values:
                raise self._error(f"missing; '{self._owner}' needs it", name)

    def _broken_rule(self, error: ValueError, origins: Mapping[str, str]) -> ConfigurationError:
        option, colon, text = str(error).partition(": ")
        if not colon or option not in self._fields:
            return self._error(str(error))
        return self._error(text, origins.get(option, option))

    def _error(self, text: str, *option: str) -> ConfigurationError:
        return self._section.error(text, *self._path, *option)


def _convert(value: Any, annotation: Any) -> Any:
    try:
        return msgspec.convert(value, annotation, dec_hook=_secret)
    except msgspec.ValidationError:
        if not isinstance(value, str):
            raise
        return msgspec.convert(value, annotation, strict=False, dec_hook=_secret)


def _secret(wanted: type[Any], value: Any) -> Any:
    if issubclass(wanted, Secret) and isinstance(value, str):
        return wanted(value)
    if isinstance(value, wanted):
        return value
    raise ValueError("not text")


def _in_case_of(annotation: Any, value: Any) -> Any:
    """Return the text as one of the type's literals spells it: ssl -> SSL."""
    if not isinstance(value, str):
        return value
    spelled = {str(word).casefold(): word for word in _literals(inspect.type_info(annotation))}
    return spelled.get(value.casefold(), value)


def _literals(annotation: inspect.Type) -> list[Any]:
    match annotation:
        case inspect.Metadata(type=inner):
            return _literals(inner)
        case inspect.UnionType(types=types):
            return [word for kind in types for word in _literals(kind)]
        case inspect.LiteralType(values=values):
            return list(values)
        case _:
            return []


def _mentions_secret(annotation: Any) -> bool:
    if isinstance(annotation, type):
        return issubclass(annotation, Secret)
    return any(_mentions_secret(part) for part in get_args(annotation))


def _secrets_of(value: Any) -> tuple[str, ...]:
    if isinstance(value, Secret):
        return value.secrets()
    if isinstance(value, (list, tuple)):
        return tuple(text for item in value for text in _secrets_of(item))
    return ()


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return mask(repr(value))
