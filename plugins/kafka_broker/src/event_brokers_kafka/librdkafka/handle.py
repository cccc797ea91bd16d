"""Producers and consumers of librdkafka, kept from forked children and closed in bounded time.

Their threads are not in a child. Whatever is called there of an inherited one waits for them for
ever, the destructor first of all: so no child may ever run it, not even when its program ends.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any

from event_brokers import BrokerUnavailable
from event_brokers_kafka import limits


class Handle:
    """One producer or consumer, in the process that made it.

    Parameters:
        client: confluent-kafka's.
        finish: what is still to be done with it before it is closed; may wait.
    """

    def __init__(self, client: Any, finish: Callable[[], object]) -> None:
        self.client = client
        self._finish = finish
        self._process = os.getpid()
        # a reference that is no variable's: neither the collector nor the end of a child drops it
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))

    def close(self) -> None:
        """Release threads and sockets; in a forked child there are none to release.

        Raises:
            BrokerUnavailable: they are not released within `limits.CLOSE_SECONDS`, but will be.
        """
        if self.client is None or os.getpid() != self._process:
            return
        closing = threading.Thread(
            target=self._close, args=[self.client], name="event-brokers-closing", daemon=True
        )
        self.client = None
        closing.start()
        closing.join(limits.CLOSE_SECONDS)
        if closing.is_alive():
            raise BrokerUnavailable("librdkafka's threads did not end in time")

    def _close(self, client: Any) -> None:
        self._finish()
        client.close()
        ctypes.pythonapi.Py_DecRef(ctypes.py_object(client))
