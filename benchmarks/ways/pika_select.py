"""pika's SelectConnection with publisher confirms, as its example of an asynchronous publisher.

The example publishes by a timer; here as many messages are on their way as the core takes at once.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pika

from benchmarks.measuring import measure_delivery
from benchmarks.task import Figures, Task
from benchmarks.ways.messages import next_id, properties_of

_IN_FLIGHT = 4_096


class Publisher:
    """Publishes what it is given, and runs its loop until all of it is confirmed.

    Parameters:
        section: the server and the queue, which exists.
    """

    def __init__(self, section: dict[str, Any]) -> None:
        self._queue = section["queue"]
        self._waiting: Iterator[dict[str, Any]] = iter(())
        self._tags = itertools.count(1)
        self._unconfirmed: dict[int, None] = {}  # by delivery tag, in order
        self._channel: Any = None
        credentials = pika.PlainCredentials(section["username"], section["password"])
        self._connection = pika.SelectConnection(
            pika.ConnectionParameters(section["url"], section["port"], credentials=credentials),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._begin),
            on_open_error_callback=self._fail,
            on_close_callback=self._fail,
        )
        self._connection.ioloop.start()

    def deliver(self, events: list[dict[str, Any]]) -> None:
        """Publish events, and return when all are confirmed."""
        self._waiting = iter(events)
        self._fill()
        if self._unconfirmed:
            self._connection.ioloop.start()

    def _begin(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_return_callback(self._fail)
        channel.confirm_delivery(self._note, callback=lambda _: self._connection.ioloop.stop())

    def _fill(self) -> None:
        while len(self._unconfirmed) < _IN_FLIGHT:
            event = next(self._waiting, None)
            if event is None:
                return
            properties = pika.BasicProperties(**properties_of(event, next_id()))
            body = json.dumps(event).encode()
            self._channel.basic_publish("", self._queue, body, properties, mandatory=True)
            self._unconfirmed[next(self._tags)] = None

    def _note(self, frame: Any) -> None:
        if not isinstance(frame.method, pika.spec.Basic.Ack):
            raise RuntimeError("RabbitMQ has refused a message")
        tag = frame.method.delivery_tag
        if frame.method.multiple:
            for earlier in list(itertools.takewhile(lambda each: each <= tag, self._unconfirmed)):
                del self._unconfirmed[earlier]
        else:
            del self._unconfirmed[tag]
        self._fill()
        if not self._unconfirmed:
            self._connection.ioloop.stop()

    def _fail(self, *what: object) -> None:
        raise RuntimeError(f"pika: {what[-1]}")


def run(task: Task) -> Figures:
    """Measure from the first message until the last confirm."""
    return measure_delivery(task, Publisher(task.section).deliver)
