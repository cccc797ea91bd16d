"""EventHandler, a handler for the standard library's logging that publishes each record."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from event_brokers.broker import EventBroker, connect
from event_brokers.errors import EventBrokersError, InvalidEvent
from event_brokers.event import Event, without_lone_surrogates
from event_brokers.hand_over import HandOver, is_own_work
from event_brokers.log import logger
from event_brokers.signal_handlers import is_from_signal_handler
from event_brokers.wording import printable

__all__ = ["EventHandler"]

_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LONGEST_NAME = 100  # that is shown of one; somebody's data may be used as names
_FOR_THE_EVENT = frozenset({"sender_id", "event"})


class EventHandler(logging.Handler):
    """Publishes each log record as an event; never waits for a broker, and never fails the caller.

    An event has `event`, "log" unless `extra` names another, `timestamp`, `level`, `logger` and
    `text`; where there is one `sender_id`, of `extra`, `exception` and `stack`; and under
    `metadata` what else stands in `extra`. A formatter forms exceptions alone. What the broker does
    not take is counted in `lost` and logged once. Records of event-brokers itself, and what its
    threads log, are not published.

    Parameters:
        broker: an EventBroker, which stays open; or the path of an `endpoints.yml`, or a section
            as a mapping, from which one is made and closed with the handler.
        level: of the records that are published, from this one upwards.
        close_timeout: seconds for which `close` lets a broker that was made here deliver.

    Raises:
        ConfigurationError: the section cannot be used.
    """

    def __init__(
        self,
        broker: EventBroker | str | os.PathLike[str] | Mapping[str, Any],
        level: int | str = logging.NOTSET,
        close_timeout: float = 5.0,
    ) -> None:
        super().__init__(level)
        self._own: EventBroker | None = None
        self._close_timeout = close_timeout
        if not isinstance(broker, EventBroker):
            broker = self._own = connect(broker, name="logging")
        self._hand_over = HandOver(broker, "log records")

    @property
    def lost(self) -> int:
        """How many records the broker did not take, in this process."""
        return self._hand_over.lost

    def createLock(self) -> None:
        """Make none: publishing is safe from any thread, and threads share a spool's commits."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Publish a record that the filters let through, without the lock that there is none of.

        Parameters:
            record: a filter may return another one instead.
        """
        passed: Any = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Publish one record.

        Parameters:
            record: one that cannot be formatted is told by `handleError`, as everywhere.
        """
        if is_own_work(str(record.name), EventHandler.emit):
            return
        try:
            event = self._event(record)
        except Exception as error:
            if is_from_signal_handler(error):
                raise
            self.handleError(record)
            return
        self._hand_over.publish(event)

    def close(self) -> None:
        """Close the broker, if it was made here."""
        super().close()
        if self._own is None:
            return
        try:
            self._own.close(self._close_timeout)
        except EventBrokersError as error:
            logger.error("log records: %s", error)  # nobody could catch it at the end

    def _event(self, record: logging.LogRecord) -> dict[str, Any]:
        given = vars(record)
        sender_id: Any = given.get("sender_id")
        event: dict[str, Any] = {
            **({} if sender_id in (None, "") else {"sender_id": _text(sender_id)}),
            "event": _text(given.get("event") or "log"),
            "timestamp": record.created,
            "level": _text(record.levelname),
            "logger": _text(record.name),
            "text": _text(record.getMessage()),
        }
        if record.exc_info:
            event["exception"] = _text(self._formatted(record.exc_info))
        elif record.exc_text:  # of a record from another process
            event["exception"] = _text(record.exc_text)
        if record.stack_info:
            event["stack"] = _text(record.stack_info)
        if metadata := self._metadata(given):
            event["metadata"] = metadata
        return event

    def _formatted(self, exception: Any) -> str:
        return (self.formatter or logging.Formatter()).formatException(exception)

    def _metadata(self, given: Mapping[str, Any]) -> dict[str, Any]:
        names = [name for name in given if name not in _OF_EVERY_RECORD | _FOR_THE_EVENT]
        metadata = {}
        for name in names:
            try:
                Event.from_dict({name: given[name]})
            except InvalidEvent:
                shown = printable(name)[:_LONGEST_NAME]
                self._hand_over.remark(f"extra: what '{shown}' holds has no JSON, and is left out")
            else:
                metadata[name] = given[name]
        return metadata


def _text(value: object) -> str:
    return without_lone_surrogates(str(value))
