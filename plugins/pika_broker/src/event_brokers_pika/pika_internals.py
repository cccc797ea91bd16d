"""What is private in pika and used all the same, each with its reason; nowhere else is any."""

from __future__ import annotations

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorStackTimeout

# the one class by which a failed handshake says that there was no answer; pika exports it nowhere
SILENT_IN_HANDSHAKE = AMQPConnectorStackTimeout


def drop(connection: pika.SelectConnection, reason: Exception) -> None:
    """End a connection without a goodbye; call it on the connection's thread.

    Parameters:
        connection: not closed yet; its callbacks are told the reason.
        reason: why.
    """
    # `close` waits for the server's answer, and pika has no other public way to close the socket
    connection._terminate_stream(reason)
