"""Reads bodies of events as OTLP, by the schema of opentelemetry-proto, with nothing ignored."""

from __future__ import annotations

import base64
import json
from typing import Any, TypeVar

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

ENVELOPE = {"sender_id", "event", "timestamp"}  # which a receiver of OTLP has to ignore
_HEXADECIMAL = {"traceId", "spanId", "parentSpanId"}

_Data = TypeVar("_Data", bound=Message)


def traces(body: bytes) -> TracesData:
    """Return the spans in the body of an event; fails where the schema knows a field not."""
    return _parse(body, TracesData())


def logs(body: bytes) -> LogsData:
    """Return the log records in the body of an event; fails where the schema knows a field not."""
    return _parse(body, LogsData())


def _parse(body: bytes, data: _Data) -> _Data:
    fields = {name: value for name, value in json.loads(body).items() if name not in ENVELOPE}
    ParseDict(_with_base64(fields), data, ignore_unknown_fields=False)
    return data


def _with_base64(value: Any) -> Any:
    """Return OTLP's JSON as protobuf's own reader wants it: ids in base64, and not hexadecimal.

    https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    """
    if isinstance(value, list):
        return [_with_base64(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64encode(bytes.fromhex(item)).decode()
        if name in _HEXADECIMAL
        else _with_base64(item)
        for name, item in value.items()
    }
