"""What a plugin's options class is made of, and how it describes itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from msgspec import inspect

from event_brokers.secret import Secret, SecretUrl


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every plugin's options class.

    Each field is one option: `name: Annotated[type, msgspec.Meta(description="...")] = default`.
    A field without a default must be given. Types: str, int, float, bool, `Literal[...]` of texts
    (compared without regard to case), `Secret`, `SecretUrl`, lists of these, `dict[str, str]`,
    and any of these `| None`. Bounds are given as `msgspec.Meta(ge=1, le=65535)`. A `Secret` can
    also be read from the file that `<option>_file` names. Rules over several options belong into
    `__post_init__`, which raises `ValueError("option: what is wrong with it")`.

    Attributes:
        synonyms: other name -> option, for example `{"host": "url"}`.
        superseded: option that is accepted without effect -> the sentence logged as a warning.
        place: names of the options that say where events go; a spool remembers them, and its
            events never go elsewhere unnoticed. Never a secret.
    """

    synonyms: ClassVar[Mapping[str, str]] = {}
    superseded: ClassVar[Mapping[str, str]] = {}
    place: ClassVar[tuple[str, ...]] = ()


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
    """Return every option of an options class in the order of its fields."""
    return [_describe(field) for field in msgspec.structs.fields(options)]


def _describe(field: msgspec.structs.FieldInfo) -> OptionDescription:
    annotation = inspect.type_info(field.type)
    return OptionDescription(
        field.encode_name, in_words(annotation), _default_in_words(field), _text(annotation)
    )


def _text(annotation: inspect.Type) -> str:
    if not isinstance(annotation, inspect.Metadata):
        return ""
    return str((annotation.extra_json_schema or {}).get("description", ""))


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
    if isinstance(default, (list, tuple)):
        return ", ".join(str(item) for item in default)
    return str(default)


def in_words(annotation: inspect.Type) -> str:  # noqa: C901 - one line per kind of type
    """Return what may be written for a type, in words: "true or false", "text"."""
    match annotation:
        case inspect.Metadata(type=inner):
            return in_words(inner)
        case inspect.UnionType(types=types):
            kinds = [kind for kind in types if not isinstance(kind, inspect.NoneType)]
            return " or ".join(dict.fromkeys(in_words(kind) for kind in kinds))
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=low, le=high):
            return "a whole number" + _bounds(low, high)
        case inspect.FloatType(ge=low, le=high):
            return "a number" + _bounds(low, high)
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(str(value) for value in values)
        case inspect.CustomType(cls=cls) if cls is SecretUrl:
            return "text"
        case inspect.CustomType(cls=cls) if cls is Secret:
            return "text (secret)"
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return f"a list of {in_words(item)}"
        case inspect.DictType():
            return "a mapping"
        case _:
            return "text"


def _bounds(low: Any, high: Any) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f", {low} or more"
    return "" if high is None else f", {high} or less"
