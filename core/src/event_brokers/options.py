"""What a plugin's options class is made of, and how it describes itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import ClassVar

import msgspec
from msgspec import inspect

from event_brokers.option_types import description, in_words, problem, secret_types
from event_brokers.secret import Secret, SecretUrl, hidden
from event_brokers.wording import did_you_mean, name_and_first_line


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every plugin's options class.

    Each field is one option: `name: Annotated[type, msgspec.Meta(description="...")] = default`.
    A field without a default must be given. Types: str, int, float, bool, `Literal[...]` of texts
    (compared without regard to case), `Secret`, `SecretUrl`, lists of these, `dict[str, str]`,
    and any of these `| None`. Bounds are given as `msgspec.Meta(ge=1, le=65535)`, for a type that
    may be None as `Annotated[int, Meta(ge=1)] | None`. A `Secret` can also be read from the file
    that `<option>_file` names. Rules over several options belong into `__post_init__`, which raises
    `ValueError("option: what is wrong with it")`.

    Attributes:
        synonyms: other name -> option, for example `{"host": "url"}`.
        superseded: option that is accepted without effect -> the sentence logged as a warning.
        may_be_empty: options for which empty text is a value; for all others it counts as not
            given, as an environment variable without content leaves it.
        refuses_empty: option that is refused where it is empty -> the option beside which it is;
            None for always. For what would take protection away in silence: a password, whose
            user is given.
        place: names of the options that say where events go; a spool remembers them, and its
            events never go elsewhere unnoticed. Never a secret.
    """

    synonyms: ClassVar[Mapping[str, str]] = {}
    superseded: ClassVar[Mapping[str, str]] = {}
    may_be_empty: ClassVar[Sequence[str]] = ()
    refuses_empty: ClassVar[Mapping[str, str | None]] = {}
    place: ClassVar[tuple[str, ...]] = ()

    def warnings(self) -> Iterable[str]:
        """Return what has no effect although it is given, each "option: a clause"; for subclasses.

        Each is logged when the options are read from a section. What is wrong, and would cost
        protection, is for `__post_init__` to refuse.
        """
        return ()

    def __repr__(self) -> str:
        # a mapping, such as a URL's query, may hold a password under its name
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        shown = ", ".join(f"{name}={hidden(value)!r}" for name, value in values)
        return f"{type(self).__name__}({shown})"


class OptionDescription(msgspec.Struct, frozen=True):
    """One option in words, for tables and listings.

    Attributes:
        name: as written in YAML.
        type: what may be written, in words: "a whole number from 1 to 65535".
        default: as written in YAML; None where the option must be given.
        text: one line on what it does.
    """

    name: str
    type: str
    default: str | None
    text: str


def describe(options: type[Options]) -> list[OptionDescription]:
    """Return every option of an options class: its own in their order, then those of its bases."""
    classes = [each for each in options.__mro__ if issubclass(each, Options)]

    def classes_with(field: msgspec.structs.FieldInfo) -> int:
        return sum(field.name in each.__struct_fields__ for each in classes)

    return [_describe(field) for field in sorted(msgspec.structs.fields(options), key=classes_with)]


def refuse_unsound(options: type[Options]) -> None:
    """Look at all that an options class says of itself.

    Raises:
        ValueError: something of it cannot be used; a clause that says what to change.
    """
    fields = _fields(options)
    for field in fields.values():
        reason = problem(field.type)
        if reason is not None:
            raise ValueError(f"option '{field.encode_name}': {reason}")
        _refuse_default_that_fails(field)
    for name, option in options.synonyms.items():
        _refuse_unknown(f"synonyms: '{name}'", option, fields)
    for option in (*options.may_be_empty, *options.refuses_empty):
        _refuse_unknown("may_be_empty and refuses_empty", option, fields)
    for option in options.place:
        _refuse_unknown("place", option, fields)
        if any(not issubclass(kind, SecretUrl) for kind in secret_types(fields[option].type)):
            raise ValueError(f"place: '{option}' is a secret; take it out")


def _fields(options: type[Options]) -> dict[str, msgspec.structs.FieldInfo]:
    try:
        return {field.encode_name: field for field in msgspec.structs.fields(options)}
    except Exception as error:
        raise ValueError(f"its types cannot be read: {name_and_first_line(error)}") from error


def _refuse_default_that_fails(field: msgspec.structs.FieldInfo) -> None:
    try:
        _default_in_words(field)
    except Exception as error:
        raise ValueError(
            f"option '{field.encode_name}': its default cannot be made: "
            f"{name_and_first_line(error)}"
        ) from error


def _refuse_unknown(where: str, option: str, fields: Mapping[str, object]) -> None:
    if option not in fields:
        raise ValueError(f"{where}: no option '{option}'{did_you_mean(option, fields)}")


def _describe(field: msgspec.structs.FieldInfo) -> OptionDescription:
    annotation = inspect.type_info(field.type)
    return OptionDescription(
        field.encode_name, in_words(annotation), _default_in_words(field), description(annotation)
    )


def _default_in_words(field: msgspec.structs.FieldInfo) -> str | None:
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    if default is msgspec.NODEFAULT:
        return None
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, Secret):
        return default.hidden()
    if isinstance(default, Enum):
        return str(default.value)
    if isinstance(default, (list, tuple, set, frozenset)):
        return ", ".join(str(item) for item in default)
    return str(hidden(default))
