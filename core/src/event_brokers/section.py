"""One section of `endpoints.yml` as somebody wrote it: its values and the lines they stand on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from event_brokers.errors import ConfigurationError
from event_brokers.wording import did_you_mean

if TYPE_CHECKING:
    import yaml

EVENT_BROKER = "event_broker"
RASA_TYPE = "event_brokers.rasa.RasaEventBroker"  # what a real Rasa loads, by this name
_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")

_Path = tuple[str, ...]


class Section(msgspec.Struct, frozen=True):
    """The section's values, and how to say where one of them stands.

    Attributes:
        values: option name -> value, with environment variables replaced.
        file: the file's name; empty where the section did not come from a file.
        lines: path of an option inside the section -> its line in the file, from 1.
        name: of the section.
        within: path of the part of the section that the values are.
        type_key: what `type` is called where it was written.
    """

    values: dict[str, Any]
    file: str = ""
    lines: dict[_Path, int] = {}
    name: str = EVENT_BROKER
    within: _Path = ()
    type_key: str = "type"

    def where(self, *path: str) -> str:
        """Return "endpoints.yml:3: event_broker.port" for an option of the section."""
        whole = (*self.within, *path)
        return f"{_place(self.file, self.lines.get(whole))}{'.'.join((self.name, *whole))}"

    def error(self, text: str, *path: str) -> ConfigurationError:
        """Return the error that names an option, where it stands, and what is wrong with it."""
        return ConfigurationError(f"{self.where(*path)}: {text}")


def from_file(path: str | os.PathLike[str], name: str = EVENT_BROKER) -> Section:
    """Return a section of an endpoints.yml; every other section is left alone.

    Parameters:
        path: the file, YAML 1.1 in UTF-8.
        name: of the section.

    Raises:
        ConfigurationError: the file cannot be read, is not YAML, has no such section, repeats a
            key of it, or names an environment variable that is not set.
    """
    file = os.fspath(path)
    sections = _sections(file)
    node = _named(name, sections, file)
    if node is None:
        raise ConfigurationError(f"{file}: no section '{name}'{_near(name, sections)}")
    return _read(node, name, file)


def from_file_if_there(path: str | os.PathLike[str], name: str) -> Section | None:
    """Do as `from_file`, and return None where the file has no such section.

    Parameters:
        path: the file.
        name: of the section.

    Raises:
        ConfigurationError: as for `from_file`.
    """
    file = os.fspath(path)
    node = _named(name, _sections(file), file)
    return None if node is None else _read(node, name, file)


def from_mapping(values: Mapping[str, Any]) -> Section:
    """Return a section given as a mapping, with environment variables replaced.

    Raises:
        ConfigurationError: a key is not text, or an environment variable is not set.
    """
    section = from_literals(values)
    replaced = _replace_variables(section.values, (), section)
    return msgspec.structs.replace(section, values=replaced)


def from_literals(values: Mapping[str, Any]) -> Section:
    """Return a section whose values are taken to the letter: `${NAME}` is just text.

    Raises:
        ConfigurationError: a key is not text.
    """
    section = Section(values=dict(values))
    _refuse_keys_that_are_not_text(section)
    return section


def without_rasa(section: Section) -> Section:
    """Return the section as it would stand without Rasa: what `broker`, or `broker_type`, says.

    A section that is not written for Rasa's own loader comes back as it is.

    Raises:
        ConfigurationError: neither is given, or `broker` is not all there is.
    """
    if section.values.get("type") != RASA_TYPE:
        return section
    given = {name: value for name, value in section.values.items() if name != "type"}
    if given.get("broker") is not None:
        return _inside_broker(section, given)
    if given.get("broker_type") is None:
        raise section.error(
            "does not say which broker; add broker_type, such as broker_type: kafka", "type"
        )
    given["type"] = given.pop("broker_type")
    return msgspec.structs.replace(section, values=given, type_key="broker_type")


def _inside_broker(section: Section, given: Mapping[str, Any]) -> Section:
    for name, value in given.items():
        if name != "broker" and value is not None:
            raise section.error("stands beside 'broker'; move it in there", name)
    broker = given["broker"]
    if not isinstance(broker, Mapping) or not broker:
        raise section.error("must hold options, such as type: kafka", "broker")
    inside = msgspec.structs.replace(section, values=dict(broker), within=("broker",))
    _refuse_keys_that_are_not_text(inside)
    return inside


def _refuse_keys_that_are_not_text(section: Section) -> None:
    for key in section.values:
        if not isinstance(key, str):
            raise section.error(f"the key {key!r} is not text")


def _place(file: str, line: int | None) -> str:
    if not file:
        return ""
    return f"{file}: " if line is None else f"{file}:{line}: "


def _read(node: yaml.MappingNode, name: str, file: str) -> Section:
    lines: dict[_Path, int] = {(): node.start_mark.line + 1}
    _read_lines(node, (name,), lines, file)
    values = _construct(node, name, file)
    section = Section(values=values, file=file, lines=lines, name=name)
    return msgspec.structs.replace(section, values=_replace_variables(values, (), section))


def _sections(file: str) -> list[tuple[yaml.Node, yaml.Node]]:
    """Return the name and the value of every section."""
    import yaml  # noqa: PLC0415 - whoever passes a mapping does not wait for the import

    root = _compose(file)
    return root.value if isinstance(root, yaml.MappingNode) else []


def _named(
    name: str, sections: list[tuple[yaml.Node, yaml.Node]], file: str
) -> yaml.MappingNode | None:
    import yaml  # noqa: PLC0415 - as above

    found = [(key, value) for key, value in sections if key.value == name]
    if not found:
        return None
    if len(found) > 1:
        _refuse_repeated(file, found[0][0], found[1][0], name)
    key, value = found[0]
    if not isinstance(value, yaml.MappingNode) or not value.value:
        place = _place(file, key.start_mark.line + 1)
        raise ConfigurationError(f"{place}{name}: must hold options, such as a type")
    return value


def _near(name: str, sections: list[tuple[yaml.Node, yaml.Node]]) -> str:
    names = [key.value for key, _ in sections if isinstance(key.value, str)]
    return did_you_mean(name, names).replace("did you mean", "is it")


def _compose(file: str) -> yaml.Node | None:
    import yaml  # noqa: PLC0415 - as above

    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file}: not UTF-8 text") from None
    except OSError as error:
        raise ConfigurationError(
            f"{file}: {(error.strerror or 'cannot be read').lower()}"
        ) from error
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        # the whole text of this error shows the line, which may hold a password
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise ConfigurationError(f"{_place(file, line)}not valid YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError):
        raise ConfigurationError(f"{file}: not valid YAML") from None


def _read_lines(node: yaml.Node, path: _Path, lines: dict[_Path, int], file: str) -> None:
    """Note the line of every option, and refuse a key that is written twice.

    The path begins with the section's name, which the lines leave out.
    """
    import yaml  # noqa: PLC0415 - as above

    if not isinstance(node, yaml.MappingNode):
        return
    first: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        here = (*path, key.value)
        if key.value in first:
            _refuse_repeated(file, first[key.value], key, ".".join(here))
        first[key.value] = key
        lines.setdefault(here[1:], key.start_mark.line + 1)
        if len(path) < _DEEPEST:
            _read_lines(value, here, lines, file)


_DEEPEST = 8  # an alias can make YAML contain itself


def _refuse_repeated(file: str, first: yaml.Node, second: yaml.Node, name: str) -> NoReturn:
    place = _place(file, second.start_mark.line + 1)
    line = first.start_mark.line + 1
    raise ConfigurationError(f"{place}{name}: given twice, first in line {line}; remove one")


def _construct(node: yaml.MappingNode, name: str, file: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - as above

    try:
        values: dict[Any, Any] = yaml.constructor.SafeConstructor().construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise ConfigurationError(f"{_place(file, line)}{name}: {error.problem}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file}: {name}: not valid YAML") from error
    return {str(key): value for key, value in values.items()}


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
