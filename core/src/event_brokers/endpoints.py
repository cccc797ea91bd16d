"""From `endpoints.yml` to settings; every configuration error is worded here.

Public for commands of other distributions: `read`, `settings_for`, `read_options` and `Settings`;
and of `section`, for sections of their own, `Section`, `from_file`, `from_file_if_there` and
`EVENT_BROKER`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect
from msgspec.structs import fields

from event_brokers import other_loaders, plugins
from event_brokers import section as sections
from event_brokers.delivery_options import MAX_PENDING, DeliveryOptions
from event_brokers.errors import ConfigurationError
from event_brokers.log import logger
from event_brokers.option_types import choices, in_words, secret_types
from event_brokers.options import Options
from event_brokers.plugins import Plugin
from event_brokers.secret import Secret, mask
from event_brokers.section import Section
from event_brokers.settings import Settings
from event_brokers.small_file import read_text
from event_brokers.wording import did_you_mean

__all__ = [
    "MAX_PENDING",
    "DeliveryOptions",
    "Settings",
    "read",
    "read_options",
    "settings_for",
    "settings_from",
]

DEFAULT_TYPE = "pika"  # of a section that was written before there were others

_RASA_PRO = {
    "topics": "sends events to several topics",
    "anonymization_topics": "sends anonymised events to topics of their own",
    "anonymization_queues": "sends anonymised events to queues of their own",
    "stream_pii": "keeps personal data out of the stream",
}

_OptionsClass = TypeVar("_OptionsClass", bound=Options)


def read(source: str | os.PathLike[str] | Mapping[str, Any]) -> Settings:
    """Return the settings that an `endpoints.yml`, or its section as a mapping, stands for.

    Parameters:
        source: the file's path, or a mapping that is the `event_broker` section itself.

    Raises:
        ConfigurationError: one sentence that names file, line, option and the way out.
    """
    if isinstance(source, Mapping):
        return settings_from(sections.from_mapping(source))
    return settings_from(sections.from_file(source))


def settings_for(type_name: str, options: Mapping[str, Any]) -> Settings:
    """Return the settings for options given in Python, taken to the letter.

    Parameters:
        type_name: the type, such as "pika".
        options: option -> value; None means not given; may hold `delivery`.

    Raises:
        ConfigurationError: as for `read`.
    """
    return settings_from(sections.from_literals({**options, "type": type_name}))


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


def settings_from(written: Section) -> Settings:
    """Return the settings that a section stands for.

    Raises:
        ConfigurationError: as for `read`.
    """
    section = other_loaders.as_ours(written)
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
            return self._class(**{self._fields[name].name: values[name] for name in values})
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
        return option in self._fields and bool(secret_types(self._fields[option].type))

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
        if wanted.startswith("a mapping"):
            # whatever was written instead may hold a password
            return f"the value is not {wanted}; put numbers in quotes"
        shown = "the value" if self._is_secret(option) else _shown(value)
        quotes = not isinstance(value, (str, list, Mapping)) and wanted.startswith("text")
        return f"{shown} is not {wanted}" + ("; put it in quotes" if quotes else "")

    def _read_file(self, name: str, file: Any) -> str:
        if not isinstance(file, str):
            raise self._error(f"{_shown(file)} is not the path of a file", name)
        try:
            return read_text(file).rstrip("\r\n")
        except ValueError as error:
            raise self._error(f"{file!r} cannot be read: {error}", name) from error.__cause__

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
    spelled = {str(word).casefold(): word for word in choices(inspect.type_info(annotation))}
    return spelled.get(value.casefold(), value)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return mask(repr(value))
