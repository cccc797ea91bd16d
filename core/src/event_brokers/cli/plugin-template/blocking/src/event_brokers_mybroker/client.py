"""Speaks with the server: the only module that knows its protocol, one JSON object a line."""

from __future__ import annotations

import json
import socket
from typing import Any

from event_brokers.plugin.opening import closed_on_failure
from event_brokers.plugin.server import tls_context

from event_brokers_mybroker.options import TYPE, BrokerOptions

ANSWER_SECONDS = 10.0  # that the server may leave us without an answer


class Client:
    """One connection.

    Parameters:
        options: where the server is, and how it is spoken to.
    """

    def __init__(self, options: BrokerOptions) -> None:
        address, context = options.address, tls_context(options, TYPE)
        self._socket = socket.create_connection((address.host, address.port), ANSWER_SECONDS)
        with closed_on_failure(self._socket):
            if context is not None:
                self._socket = context.wrap_socket(self._socket, server_hostname=address.host)
            self._answers = self._socket.makefile("rb")

    def ask(self, **request: Any) -> dict[str, Any]:
        """Return the server's answer; raises OSError or EOFError where there is none."""
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        line = self._answers.readline()
        if not line.endswith(b"\n"):
            raise EOFError("the server has closed the connection")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Release the socket; again, it does nothing."""
        self._answers.close()
        self._socket.close()
