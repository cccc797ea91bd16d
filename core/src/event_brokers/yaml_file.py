"""A YAML file as it was written: its sections, their values and their lines, bounded in size."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, NoReturn

import yaml

from event_brokers import nesting
from event_brokers.errors import ConfigurationError
from event_brokers.nesting import MOST_LEVELS, MOST_VALUES
from event_brokers.small_file import read_text
from event_brokers.wording import did_you_mean, line_of

# what PyYAML raises for `!!bool x`, `!!timestamp x`, `!!int ''` and a day that no month has
_NOT_WHAT_ITS_TAG_SAYS = (ValueError, LookupError, AttributeError, TypeError, OverflowError)
_CONTENT = re.compile(
    r"""\s*(['"])(?![<\\])(?:\w|.{2,})\1"""
)  # '<stream end>' and '\\t' are no content

_OptionPath = tuple[str, ...]
_Lines = dict[_OptionPath, int]


class Content(NamedTuple):
    """What stands in a section.

    Attributes:
        values: what YAML makes of it.
        texts: the same, with every number, truth value and date as the text that stands there.
        lines: path of an option inside the section -> its line, from 1.
    """

    values: dict[str, Any]
    texts: dict[str, Any]
    lines: _Lines


class YamlFile:
    """The sections of a file; looks into none but those that are asked for.

    Parameters:
        file: its path; YAML 1.1 in UTF-8.

    Raises:
        ConfigurationError: it cannot be read, is too large, or is not YAML.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        root = _compose(file)
        self._sections = root.value if isinstance(root, yaml.MappingNode) else []

    def section(self, name: str) -> Content | None:
        """Return what stands in a section; None without one.

        Raises:
            ConfigurationError: it is there twice, holds nothing or too much, repeats a key, or
                has a value that plain YAML does not know.
        """
        node = self._named(name)
        if node is None:
            return None
        self._refuse_excess(node, name)
        lines: _Lines = {(): _line(node)}
        self._read_lines(node, (name,), lines)
        values = self._made(node, name, yaml.constructor.SafeConstructor())
        return Content(values, self._made(node, name, _Texts()), lines)

    def near_miss(self, name: str) -> str:
        """Return "; is it 'event_broker'?" where a section has almost that name."""
        names = [key.value for key, _ in self._sections if isinstance(key, yaml.ScalarNode)]
        return did_you_mean(name, names).replace("did you mean", "is it")

    def _named(self, name: str) -> yaml.MappingNode | None:
        found = [(key, value) for key, value in self._sections if key.value == name]
        if not found:
            return None
        if len(found) > 1:
            self._refuse_repeated(found[0][0], found[1][0], name)
        key, value = found[0]
        if not isinstance(value, yaml.MappingNode) or not value.value:
            raise self._error(f"{name}: must hold options, such as a type", _line(key))
        return value

    def _refuse_excess(self, section: yaml.MappingNode, name: str) -> None:
        nodes = [(key, part) for key, value in section.value for part in (key, value)]
        found = nesting.excess(nodes, _parts)
        if found is None:
            return
        key, problem = found
        option = f".{key.value}" if isinstance(key, yaml.ScalarNode) else ""
        raise self._error(f"{name}{option}: {problem}", _line(key))

    def _read_lines(
        self, node: yaml.Node, path: _OptionPath, lines: dict[_OptionPath, int]
    ) -> None:
        """Note the line of every option; the path begins with the section's name."""
        if not isinstance(node, yaml.MappingNode):
            return
        first: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            here = (*path, key.value)
            if key.value in first:
                self._refuse_repeated(first[key.value], key, ".".join(here))
            first[key.value] = key
            lines.setdefault(here[1:], _line(key))
            self._read_lines(value, here, lines)

    def _made(
        self, node: yaml.MappingNode, name: str, constructor: yaml.constructor.SafeConstructor
    ) -> dict[str, Any]:
        try:
            found: dict[Any, Any] = constructor.construct_document(node)
        except yaml.MarkedYAMLError as error:
            raise self._error(f"{name}: {_problem(error)}", _line_of_problem(error)) from None
        except _NOT_WHAT_ITS_TAG_SAYS:
            raise self._error(f"{name}: not valid YAML", _line(node)) from None
        return {str(key): value for key, value in found.items()}

    def _refuse_repeated(self, first: yaml.Node, second: yaml.Node, name: str) -> NoReturn:
        raise self._error(
            f"{name}: given twice, first in line {_line(first)}; remove one", _line(second)
        )

    def _error(self, text: str, line: int | None) -> ConfigurationError:
        return ConfigurationError(line_of(self._file, line) + text)


class _Texts(yaml.constructor.SafeConstructor):
    """Makes of a scalar the text that stands in the file: a password may look like a number."""


def _text(constructor: Any, node: Any) -> Any:
    return constructor.construct_scalar(node)


for _tag in ("bool", "int", "float", "timestamp"):
    _Texts.add_constructor(f"tag:yaml.org,2002:{_tag}", _text)


class _Loader(yaml.SafeLoader):
    """Stops where a file holds more than anybody writes, before that has taken its time."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = self._level = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._nodes += 1
        self._level += 1
        if self._nodes > MOST_VALUES:
            raise yaml.YAMLError(f"holds more than {MOST_VALUES:,} values; take some out")
        if self._level > MOST_LEVELS:
            raise yaml.YAMLError(f"is nested more than {MOST_LEVELS} deep; make it flat")
        node = super().compose_node(parent, index)
        self._level -= 1
        return node


def _compose(file: str) -> yaml.Node | None:
    try:
        text = read_text(file)
    except ValueError as error:
        raise ConfigurationError(f"{file}: {error}") from error.__cause__
    try:
        return _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        where = line_of(file, _line_of_problem(error))
        raise ConfigurationError(f"{where}not valid YAML: {_problem(error)}") from None
    except yaml.reader.ReaderError:
        raise ConfigurationError(f"{file}: not valid YAML") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file}: {error}") from None


def _parts(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def _problem(error: yaml.MarkedYAMLError) -> str:
    """Return what is wrong, without what stands there: `*abc` may be somebody's password."""
    problem, removed = _CONTENT.subn("", error.problem or "")
    return f"{problem}; if it is text, put it in quotes" if removed else problem


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _line_of_problem(error: yaml.MarkedYAMLError) -> int | None:
    return error.problem_mark.line + 1 if error.problem_mark else None
