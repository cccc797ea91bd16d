"""One section of `endpoints.yml` as somebody wrote it: its values and the lines they stand on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from event_brokers import nesting
from event_brokers.errors import ConfigurationError
from event_brokers.wording import line_of

EVENT_BROKER = "event_broker"
DEFAULT_TYPE = "pika"  # of a section that was written before there were others
_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")

_Path = tuple[str, ...]


class Section(msgspec.Struct, frozen=True):
    """The section's values, and how to say where one of them stands.

    Attributes:
        values: option name -> value, with environment variables replaced.
        texts: option name -> the same as it stands in the file, each scalar as its own text: a
            number with its leading zeros. Variables are not replaced; empty where there is no file.
        file: the file's name; empty where the section did not come from a file.
        lines: path of an option inside the section -> its line in the file, from 1.
        name: of the section.
        within: path of the part of the section that the values are.
        type_key: what `type` is called where it was written.
    """

    values: dict[str, Any]
    texts: dict[str, Any] = {}
    file: str = ""
    lines: dict[_Path, int] = {}
    name: str = EVENT_BROKER
    within: _Path = ()
    type_key: str = "type"

    def where(self, *path: str) -> str:
        """Return "endpoints.yml:3: event_broker.port" for an option of the section."""
        whole = (*self.within, *path)
        return f"{line_of(self.file, self.lines.get(whole))}{'.'.join((self.name, *whole))}"

    def text(self, *path: str) -> Any:
        """Return an option as it stands in the file, see `texts`; None where there is no file."""
        found: Any = self.texts
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def error(self, text: str, *path: str) -> ConfigurationError:
        """Return the error that names an option, where it stands, and what is wrong with it."""
        return ConfigurationError(f"{self.where(*path)}: {text}")

    def inside(self, option: str, values: Mapping[Any, Any]) -> Section:
        """Return the part of the section that one of its options holds.

        Parameters:
            option: its name.
            values: what it holds.

        Raises:
            ConfigurationError: a key is not text.
        """
        texts = self.text(option)
        part = msgspec.structs.replace(
            self,
            values=dict(values),
            texts=dict(texts) if isinstance(texts, Mapping) else {},
            within=(*self.within, option),
        )
        _refuse_keys_that_are_not_text(part)
        return part

    def __repr__(self) -> str:
        # a value may be a password
        return f"Section({self.where()}: {', '.join(map(str, self.values))})"


def from_file(path: str | os.PathLike[str], name: str = EVENT_BROKER) -> Section:
    """Return a section of an endpoints.yml; every other section is left alone.

    Parameters:
        path: the file, YAML 1.1 in UTF-8, of at most 1 MB.
        name: of the section.

    Raises:
        ConfigurationError: the file cannot be read, is not YAML, has no such section, repeats a
            key of it, holds too much, or names an environment variable that is not set.
    """
    section, near_miss = _read(os.fspath(path), name)
    if section is None:
        raise ConfigurationError(f"{os.fspath(path)}: no section '{name}'{near_miss}")
    return section


def from_file_if_there(path: str | os.PathLike[str], name: str) -> Section | None:
    """Do as `from_file`, and return None where the file has no such section.

    Parameters:
        path: the file.
        name: of the section.

    Raises:
        ConfigurationError: as for `from_file`.
    """
    return _read(os.fspath(path), name)[0]


def from_mapping(values: Mapping[str, Any]) -> Section:
    """Return a section given as a mapping, with environment variables replaced.

    Raises:
        ConfigurationError: a key is not text, an environment variable is not set, or a value
            contains itself or holds too much.
    """
    return _with_variables(from_literals(values))


def from_literals(values: Mapping[str, Any]) -> Section:
    """Return a section whose values are taken to the letter: `${NAME}` is just text.

    Raises:
        ConfigurationError: a key is not text, or a value contains itself or holds too much.
    """
    section = Section(values=dict(values))
    _refuse_keys_that_are_not_text(section)
    found = nesting.excess(section.values.items(), nesting.parts_in_python)
    if found is not None:
        option, problem = found
        raise section.error(problem, option)
    return section


def _read(file: str, name: str) -> tuple[Section | None, str]:
    """Return the section, and a guess at what it is called where there is none."""
    # whoever passes a mapping does not wait for this import
    from event_brokers.yaml_file import YamlFile  # noqa: PLC0415

    written = YamlFile(file)
    found = written.section(name)
    if found is None:
        return None, written.near_miss(name)
    section = Section(found.values, found.texts, file, found.lines, name)
    return _with_variables(section), ""


def _refuse_keys_that_are_not_text(section: Section) -> None:
    for key in section.values:
        if not isinstance(key, str):
            raise section.error(f"the key {key!r} is not text")


def _with_variables(section: Section) -> Section:
    return msgspec.structs.replace(section, values=_replace_variables(section.values, (), section))


def _replace_variables(value: Any, path: _Path, section: Section) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _variable(found, path, section), value)
    if isinstance(value, Mapping):
        return {
            key: _replace_variables(item, (*path, str(key)), section) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_replace_variables(item, path, section) for item in value]
    return value


def _variable(found: re.Match[str], path: _Path, section: Section) -> str:
    name, default = found["name"], found["default"]
    if name is None:
        return "${"  # written as $${
    value = os.environ.get(name)
    if default is not None:
        return value or default
    if value is None:
        raise section.error(f"the environment variable {name} is not set", *path)
    return value
