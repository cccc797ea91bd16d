"""Sockets that are closed when the producer cannot connect them.

kafka-python 3.0.12 leaves the socket of a refused connection to the garbage collector: a producer
that tries again and again while a broker is down would pile up open files. Its registry of proxies
is the seam through which a way to connect can be given.
"""

from __future__ import annotations

from typing import Any

from kafka.net import KafkaNetSocket

DIRECT_URL = "event-brokers-direct://"


class DirectSocket(KafkaNetSocket):  # type: ignore[misc]
    """Connects without a proxy, as the base does, and closes what could not be connected."""

    SCHEMES = ("event-brokers-direct",)

    async def sock_connect(self, net: Any, sock: Any, sockaddr: Any, timeout_at: Any = None) -> Any:
        """Return the connected socket, or close it and raise what the base raises."""
        try:
            return await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise
