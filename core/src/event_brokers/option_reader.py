"""Reads the options of one class from a section; what is wrong, or idle, is a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect
from msgspec.structs import fields

from event_brokers.errors import ConfigurationError
from event_brokers.log import logger
from event_brokers.option_types import choices, in_words, secret_types, takes_bool
from event_brokers.options import Options
from event_brokers.secret import Secret, SecretUrl, mask
from event_brokers.section import DEFAULT_TYPE, Section
from event_brokers.small_file import read_text
from event_brokers.wording import did_you_mean

_RASA_PRO = {
    "anonymization_topics": "sends anonymised events to topics of their own",
    "anonymization_queues": "sends anonymised events to queues of their own",
    "stream_pii": "keeps personal data out of the stream",
}
_STREAMS_PERSONAL_DATA = "stream_pii"  # true is what happens here anyway
# what YAML 1.1 reads as true and false, and YAML 1.2 and the environment leave as text
_YES_AND_NO = {"yes": True, "on": True, "no": False, "off": False}

_OptionsClass = TypeVar("_OptionsClass", bound=Options)


class OptionReader(Generic[_OptionsClass]):
    """Reads the options of one class from a part of the section.

    Parameters:
        options_class: names the options and their types.
        section: what somebody wrote.
        path: of the part of the section that holds the options; nothing for the section itself.
    """

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
        """Return the options, and log a warning for each that has no effect.

        Parameters:
            given: the part of the section, with environment variables replaced.

        Raises:
            ConfigurationError: one sentence that names file, line, option and the way out.
        """
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        empty: dict[str, str] = {}
        for name, value in given.items():
            if self._is_superseded(name) or self._is_as_always(name, value):
                continue
            option = self._option(name)
            if value is None:
                continue
            written = self._content(option, name, value)
            if written == "" and option not in self._class.may_be_empty:
                empty[option] = name
                continue
            if option in origins:
                raise self._error(f"says the same as '{origins[option]}'; give one of them", name)
            origins[option] = name
            values[option] = self._value(option, name, written)
        self._refuse_empty(empty, values)
        self._refuse_missing(values, empty)
        options = self._make(values, origins)
        self._warn(options, origins)
        return options

    def _is_superseded(self, name: str) -> bool:
        instead = self._class.superseded.get(name)
        if instead is None:
            return False
        logger.warning("%s: %s", self._section.where(*self._path, name), instead)
        return True

    def _is_as_always(self, name: str, value: Any) -> bool:
        """Return whether a key asks for nothing but what happens here anyway."""
        if name != _STREAMS_PERSONAL_DATA or name in self._fields or self._path:
            return False
        return str(value).casefold() in ("true", "none", "")

    def _option(self, name: str) -> str:
        """Return the option that a key of the section stands for."""
        option = self._class.synonyms.get(name, name)
        if option in self._fields:
            return option
        if option.endswith("_file") and self._is_secret_text(option.removesuffix("_file")):
            return option.removesuffix("_file")
        if name in _RASA_PRO and not self._path:
            raise self._error(
                f"only Rasa Pro {_RASA_PRO[name]}; ignoring it could let personal data flow, "
                "so take it out if you do not need it",
                name,
            )
        known = [*self._fields, *self._class.synonyms]
        raise self._error(f"unknown option of '{self._owner}'{did_you_mean(name, known)}", name)

    def _is_secret_text(self, option: str) -> bool:
        # a mapping of secrets is none that a file could hold
        if not self._is_secret(option):
            return False
        return in_words(inspect.type_info(self._fields[option].type)).startswith("text")

    def _is_secret(self, option: str) -> bool:
        return option in self._fields and bool(secret_types(self._fields[option].type))

    def _content(self, option: str, name: str, value: Any) -> Any:
        """Return what stands under a key: what its file holds, and a secret as it was written."""
        if value != "" and self._class.synonyms.get(name, name) != option:
            return self._read_file(name, value)
        kinds = secret_types(self._fields[option].type)
        if any(not issubclass(kind, SecretUrl) for kind in kinds):
            return _as_written(value, self._section.text(*self._path, name))
        return value

    def _value(self, option: str, name: str, value: Any) -> Any:
        for candidate in _candidates(self._fields[option].type, value):
            try:
                # lax, so that "5672" from an environment variable is a number, but only after
                # strict, so that the text "null" stays text
                return _convert(candidate, self._fields[option].type)
            except msgspec.ValidationError:
                continue
        raise self._error(self._wrong_type(option, value), name)

    def _wrong_type(self, option: str, value: Any) -> str:
        wanted = in_words(inspect.type_info(self._fields[option].type))
        if wanted.startswith("a mapping"):
            # whatever was written instead may hold a password
            return f"the value is not {wanted}; put numbers in quotes"
        what = "the value" if self._is_secret(option) else shown(value)
        quotes = not isinstance(value, (str, list, Mapping)) and wanted.startswith("text")
        return f"{what} is not {wanted}" + ("; put it in quotes" if quotes else "")

    def _read_file(self, name: str, file: Any) -> str:
        if not isinstance(file, str):
            raise self._error(f"{shown(file)} is not the path of a file", name)
        try:
            return read_text(file).rstrip("\r\n")
        except ValueError as error:
            raise self._error(f"{file!r} cannot be read: {error}", name) from error.__cause__

    def _refuse_empty(self, empty: Mapping[str, str], values: Mapping[str, Any]) -> None:
        """Refuse what cannot count as not given: there would be less protection, in silence."""
        for option, name in empty.items():
            if option in values or option not in self._class.refuses_empty:
                continue
            beside = self._class.refuses_empty[option]
            if beside is None:
                raise self._error("is empty; give it a value, or take it out", name)
            if beside in values:
                raise self._error(f"is empty, and '{beside}' is given; give both or none", name)

    def _refuse_missing(self, values: Mapping[str, Any], empty: Mapping[str, str]) -> None:
        for name, field in self._fields.items():
            if field.required and name not in values:
                what = "is empty" if name in empty else "missing"
                raise self._error(f"{what}; '{self._owner}' needs it", empty.get(name, name))

    def _make(self, values: Mapping[str, Any], origins: Mapping[str, str]) -> _OptionsClass:
        try:
            return self._class(**{self._fields[name].name: values[name] for name in values})
        except ValueError as error:
            option, text = self._divided(str(error))
            raise self._error(text, *(origins.get(each, each) for each in option)) from error

    def _warn(self, options: _OptionsClass, origins: Mapping[str, str]) -> None:
        for sentence in options.warnings():
            option, text = self._divided(sentence)
            where = self._section.where(*self._path, *(origins.get(each, each) for each in option))
            logger.warning("%s: %s", where, text)

    def _divided(self, sentence: str) -> tuple[list[str], str]:
        """Return the option that a sentence of the options class begins with, and the rest."""
        option, colon, text = sentence.partition(": ")
        return ([option], text) if colon and option in self._fields else ([], sentence)

    def _error(self, text: str, *option: str) -> ConfigurationError:
        return self._section.error(text, *self._path, *option)


def shown(value: Any) -> str:
    """Return what a sentence may show of a value that stands in a section."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return mask(repr(value))


def _as_written(value: Any, text: Any) -> Any:
    """Return a secret as the text that stands in the file, or as the digits of its number.

    Parameters:
        value: what YAML, or another loader, made of it.
        text: the same with each scalar as its own text; None where there is no file.
    """
    if isinstance(value, list):
        texts = text if isinstance(text, list) and len(text) == len(value) else [None] * len(value)
        return [_as_written(*pair) for pair in zip(value, texts, strict=True)]
    if isinstance(value, Mapping):
        by_key = text if isinstance(text, Mapping) else {}
        return {key: _as_written(item, by_key.get(key)) for key, item in value.items()}
    if value is None or isinstance(value, str):
        return value
    if isinstance(text, str):
        return text
    return _digits(value) if type(value) is int else value


def _digits(number: int) -> Any:
    try:
        return str(number)
    except ValueError:  # more digits than Python makes text of
        return number


def _candidates(annotation: Any, value: Any) -> Iterator[Any]:
    """Yield a value, and what else it may be meant as where it is text."""
    yield value
    if not isinstance(value, str):
        return
    spelled = {str(word).casefold(): word for word in choices(inspect.type_info(annotation))}
    word = value.casefold()
    yield spelled.get(word, value)
    if word in _YES_AND_NO and takes_bool(inspect.type_info(annotation)):
        yield _YES_AND_NO[word]


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
