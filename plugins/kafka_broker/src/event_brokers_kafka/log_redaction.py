"""Takes passwords and events out of what kafka-python logs.

At DEBUG it logs every request and every answer: the password of a login, keys, headers and bodies.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from kafka.errors import KafkaError

# modules whose objects print as what they are, and never what they carry
_PRINTABLE = (
    "kafka.cluster",
    "kafka.coordinator.base",
    "kafka.net.connection",
    "kafka.net.transport",
    "kafka.producer.kafka",
    "kafka.producer.producer_batch",
    "kafka.producer.sender",
    "kafka.producer.transaction_manager",
)


def redact_logs() -> None:
    """Put the filter on every logger of kafka-python; those that have it keep it."""
    # a filter of a logger does not apply to what the loggers below it log
    for name in list(logging.root.manager.loggerDict):
        if name == "kafka" or name.startswith("kafka."):
            logging.getLogger(name).addFilter(_redact)


def _redact(record: logging.LogRecord) -> bool:
    """Leave of a record's values what is known to hold no data; drops no record."""
    if isinstance(record.args, tuple):
        record.args = tuple(_harmless(value) for value in record.args)
    elif record.args is not None:
        record.args = _harmless(record.args)
    kind = record.exc_info[0] if record.exc_info else None
    if kind is not None and not issubclass(kind, (KafkaError, OSError)):
        # the text of an error that nobody foresaw may quote what it failed on
        record.exc_info = None
        record.msg = f"{record.msg} ({kind.__name__})"
    return True


class _Word(str):
    """A text that looks the same in `%s`, in `%r` and inside a list."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _harmless(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str, type, KafkaError, OSError)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _Word(f"<{len(value)} bytes>")
    if isinstance(value, Mapping):
        return {_harmless(key): _harmless(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_harmless(item) for item in value)
    if isinstance(value, (list, set, frozenset)):
        return [_harmless(item) for item in value]
    if type(value).__module__ in _PRINTABLE:
        return _Word(value)
    return _Word(f"<{type(value).__name__}>")
