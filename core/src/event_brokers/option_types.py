"""The types that an option may have: in words, and what is wrong with one that it may not have."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from msgspec import inspect

from event_brokers.secret import Secret, SecretUrl
from event_brokers.wording import first_line

_PLAIN = {
    inspect.BoolType: "true or false",
    inspect.NoneType: "nothing",
    inspect.AnyType: "anything",
    inspect.RawType: "anything",
    inspect.DateTimeType: "a date and time",
    inspect.DateType: "a date",
    inspect.TimeType: "a time of day",
    inspect.TimeDeltaType: "a duration, such as PT5S",
    inspect.UUIDType: "a UUID",
    inspect.DecimalType: "a decimal number",
    inspect.NamedTupleType: "a list",
    inspect.StructType: "a mapping",
    inspect.TypedDictType: "a mapping",
    inspect.DataclassType: "a mapping",
}


def in_words(annotation: inspect.Type) -> str:  # noqa: C901, PLR0912 - one line per kind of type
    """Return what may be written for a type, in words: "true or false", "text"."""
    match annotation:
        case inspect.Metadata(type=inner):
            return in_words(inner)
        case inspect.UnionType(types=types):
            kinds = [kind for kind in types if not isinstance(kind, inspect.NoneType)]
            return " or ".join(dict.fromkeys(in_words(kind) for kind in kinds))
        case inspect.IntType():
            return "a whole number" + _bounds(annotation)
        case inspect.FloatType():
            return "a number" + _bounds(annotation)
        case inspect.StrType(pattern=pattern):
            matching = f" that matches {pattern}" if pattern else ""
            return f"text{_length(annotation, 'character')}{matching}"
        case inspect.BytesType() | inspect.ByteArrayType():
            return f"base64 text{_length(annotation, 'byte')}"
        case inspect.LiteralType() | inspect.EnumType():
            return "one of " + ", ".join(str(word) for word in choices(annotation))
        case inspect.CustomType(cls=cls) if issubclass(cls, Secret):
            return "text" if issubclass(cls, SecretUrl) else "text (secret)"
        case inspect.CustomType(cls=cls):
            return f"a {cls.__name__}, which Python alone can give"
        case inspect.TupleType(item_types=items):
            return f"a list of {', '.join(in_words(item) for item in items)}, in this order"
        case inspect.CollectionType(item_type=item):
            return f"a list of {in_words(item)}{_number_of_items(annotation)}"
        case inspect.DictType(key_type=key, value_type=value):
            words = f"a mapping of {in_words(key)} to {in_words(value)}"
            return words + _number_of_items(annotation)
        case _:
            return _PLAIN.get(type(annotation), "text")


def description(annotation: inspect.Type) -> str:
    """Return the line of text that was given with a type; nothing where there is none."""
    match annotation:
        case inspect.Metadata(type=inner, extra_json_schema=schema):
            return str((schema or {}).get("description", "")) or description(inner)
        case inspect.UnionType(types=types):
            return next(filter(None, map(description, types)), "")
        case _:
            return ""


def choices(annotation: inspect.Type) -> list[Any]:
    """Return the words one of which must be written; none where the type is no such choice."""
    match annotation:
        case inspect.Metadata(type=inner):
            return choices(inner)
        case inspect.UnionType(types=types):
            return [word for kind in types for word in choices(kind)]
        case inspect.LiteralType(values=values):
            return [value for value in values if value is not None]
        case inspect.EnumType(cls=cls):
            return [member.value for member in cls]
        case _:
            return []


def takes_bool(annotation: inspect.Type) -> bool:
    """Return whether true and false may be written for a type."""
    match annotation:
        case inspect.Metadata(type=inner):
            return takes_bool(inner)
        case inspect.UnionType(types=types):
            return any(map(takes_bool, types))
        case _:
            return isinstance(annotation, inspect.BoolType)


def secret_types(annotation: Any) -> list[type[Secret]]:
    """Return the kinds of Secret that a type holds anywhere inside."""
    if isinstance(annotation, type) and issubclass(annotation, Secret):
        return [annotation]
    return [kind for part in get_args(annotation) for kind in secret_types(part)]


def problem(annotation: Any) -> str | None:
    """Return why no option may have a type, a clause; None where one may.

    Parameters:
        annotation: the type as an options class has it.
    """
    try:
        in_words(inspect.type_info(annotation))
        msgspec.convert(None, annotation)
    except msgspec.ValidationError:
        return None  # None is not of that type, and that could be found out
    except Exception as error:  # noqa: BLE001 - whatever it is, the author reads it
        clause = first_line(error).partition(" - type `")[0]
        inside = "; write the bounds inside: Annotated[int, Meta(ge=1)] | None"
        hint = inside if clause.startswith("Can only set") else ""
        return f"{clause[:1].lower()}{clause[1:] or type(error).__name__}{hint}"
    return None


def _bounds(annotation: inspect.IntType | inspect.FloatType) -> str:
    """Return " from 1 to 65535", ", 1 or more", " above 0 and below 1"."""
    kind = annotation
    multiple = f" that is a multiple of {kind.multiple_of}" if kind.multiple_of else ""
    low, high = _number(kind.ge), _number(kind.le)
    if low and high:
        return f" from {low} to {high}{multiple}"
    lows = [f"above {_number(kind.gt)}"] * (kind.gt is not None) + [f"{low} or more"] * bool(low)
    highs = [f"below {_number(kind.lt)}"] * (kind.lt is not None) + [f"{high} or less"] * bool(high)
    words = " and ".join(lows + highs)
    if not words:
        return multiple
    return f"{' ' if words[0] in 'ab' else ', '}{words}{multiple}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _length(annotation: Any, unit: str) -> str:
    """Return " of 1 to 5 characters"; nothing where any length will do."""
    words = _count(annotation.min_length, annotation.max_length, unit)
    return words and f" of {words}"


def _number_of_items(annotation: Any) -> str:
    """Return ", 1 or more of them"; nothing where any number will do."""
    words = _count(annotation.min_length, annotation.max_length, "")
    return words and f", {words} of them"


def _count(least: int | None, most: int | None, unit: str) -> str:
    if least is None and most is None:
        return ""
    last = least if most is None else most
    units = f" {unit}{'' if last == 1 else 's'}" if unit else ""
    if most is None:
        return f"{least}{units} or more"
    if least is None:
        return f"{most}{units} or less"
    return f"{most}{units}" if least == most else f"{least} to {most}{units}"
