"""Values, attributes, ids and times in OTLP's JSON mapping.

The mapping is protobuf's, but for ids, which are hexadecimal, and enumerations, which are integers:
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from event_brokers.event import without_lone_surrogates
from event_brokers_opentelemetry.losses import Losses, NotCarried

_INTEGERS = range(-(2**63), 2**63)  # int64 of AnyValue
_TIMES = range(2**64)  # fixed64 of a time in nanoseconds
_COUNTS = 2**32 - 1  # uint32 of a count
# protobuf's own decoders end at 100 messages, and a mapping takes three for each level
_DEEPEST = 24


def any_value(value: object, losses: Losses, inside: tuple[int, ...] = ()) -> dict[str, Any]:
    """Return a value as OTLP's AnyValue.

    Parameters:
        value: None, bool, str, bytes, int, float, and sequences and mappings of these.
        losses: takes note of what is carried as something else.
        inside: the ids of the sequences and mappings around it.

    Raises:
        NotCarried: it is something else, or nested too deeply.
    """
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case str():
            return {"stringValue": text(value, losses)}
        case int():
            return _integer(value, losses)
        case float():
            return {"doubleValue": _double(value)}
        case bytes() | bytearray() | memoryview():
            return {"bytesValue": base64.b64encode(value).decode()}
        case Mapping() | Sequence():
            return _container(value, losses, inside)
    raise NotCarried(f"a value of type {type(value).__name__}")


def attributes(
    given: Mapping[str, Any] | None, dropped: int, losses: Losses
) -> dict[str, list[dict[str, Any]] | int]:
    """Return the fields `attributes` and `droppedAttributesCount`; what is empty is left out.

    Parameters:
        given: name to value.
        dropped: how many the SDK has left out.
        losses: takes note of what is left out or changed.
    """
    carried = []
    for name, value in (given or {}).items():
        try:
            carried.append(_key_value(name, value, losses, ()))
        except NotCarried as reason:
            losses.left_out(str(reason))
            dropped += 1
    fields: dict[str, list[dict[str, Any]] | int] = {}
    if carried:
        fields["attributes"] = carried
    if dropped:
        fields["droppedAttributesCount"] = count(dropped)
    return fields


def text(value: object, losses: Losses) -> str:
    """Return a text; one that UTF-8 cannot say has U+FFFD in place of what it cannot.

    Parameters:
        value: text, where the SDK was used as it says.
        losses: takes note of what is not.
    """
    if not isinstance(value, str):
        losses.changed(f"a text of type {type(value).__name__}", "an empty one")
        return ""
    carried = without_lone_surrogates(value)
    if carried != value:
        losses.changed("a lone surrogate", "U+FFFD")
    return carried


def time(nanoseconds: object, losses: Losses) -> str | None:
    """Return a time as OTLP writes it, a 64 bit number as text; None where it is none.

    Parameters:
        nanoseconds: since 1970.
        losses: takes note of what is no time.
    """
    if nanoseconds is None:
        return None
    if isinstance(nanoseconds, int) and nanoseconds in _TIMES:
        return str(int(nanoseconds))
    losses.left_out("a time that is no number of nanoseconds since 1970")
    return None


def seconds(nanoseconds: str | None) -> float | None:
    """Return a time as events have it, in seconds since 1970.

    Parameters:
        nanoseconds: as `time` returns them.
    """
    return None if nanoseconds is None else int(nanoseconds) / 1_000_000_000


def count(number: int) -> int:
    """Return how many there were, or the most that OTLP can say."""
    return min(number, _COUNTS)


def trace_id(number: int) -> str:
    """Return the id of a trace in OTLP's 32 hexadecimal digits."""
    return f"{number:032x}"


def span_id(number: int) -> str:
    """Return the id of a span in OTLP's 16 hexadecimal digits."""
    return f"{number:016x}"


def resource_fields(given: Resource | None, losses: Losses) -> dict[str, Any]:
    """Return the fields `resource` and `schemaUrl`.

    Parameters:
        given: what emits.
        losses: takes note of what is left out or changed.
    """
    if given is None:
        return {}
    return _with_schema({"resource": attributes(given.attributes, 0, losses)}, given, losses)


def scope_fields(given: InstrumentationScope | None, losses: Losses) -> dict[str, Any]:
    """Return the fields `scope` and `schemaUrl`.

    Parameters:
        given: the library that emits.
        losses: takes note of what is left out or changed.
    """
    if given is None:
        return {}
    scope: dict[str, Any] = {"name": text(given.name, losses)}
    if given.version:
        scope["version"] = text(given.version, losses)
    scope.update(attributes(given.attributes, 0, losses))
    return _with_schema({"scope": scope}, given, losses)


def _with_schema(
    fields: dict[str, Any], given: Resource | InstrumentationScope, losses: Losses
) -> dict[str, Any]:
    return {**fields, "schemaUrl": text(given.schema_url, losses)} if given.schema_url else fields


def _integer(value: int, losses: Losses) -> dict[str, str]:
    if value in _INTEGERS:
        return {"intValue": str(int(value))}
    losses.changed("a whole number of more than 64 bits", "its hexadecimal digits as text")
    return {"stringValue": hex(value)}  # decimal digits of a huge one are refused by Python itself


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return float(value)
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _container(
    value: Mapping[Any, Any] | Sequence[Any], losses: Losses, inside: tuple[int, ...]
) -> dict[str, Any]:
    if id(value) in inside:
        raise NotCarried("a value that contains itself")
    if len(inside) >= _DEEPEST:
        raise NotCarried(f"a value that is nested deeper than {_DEEPEST} levels")
    inside = (*inside, id(value))
    if isinstance(value, Mapping):
        pairs = [_key_value(name, item, losses, inside) for name, item in value.items()]
        return {"kvlistValue": {"values": pairs}}
    return {"arrayValue": {"values": [any_value(item, losses, inside) for item in value]}}


def _key_value(
    name: object, value: object, losses: Losses, inside: tuple[int, ...]
) -> dict[str, Any]:
    if not isinstance(name, str):
        raise NotCarried(f"a name of type {type(name).__name__}")
    return {"key": text(name, losses), "value": any_value(value, losses, inside)}
