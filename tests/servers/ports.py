"""Free ports on 127.0.0.1, and whether somebody listens there."""

from __future__ import annotations

import random
import socket

LOWEST, HIGHEST = 15_000, 32_000
_handed_out: set[int] = set()


def free_port() -> int:
    """Return a port on which nobody listens, each one once per process.

    The port lies below the range from which Linux takes ports for outgoing connections (32768 on):
    while a server is down nobody else can take its port, nor can a client that tries to
    reach it connect to itself by chance.

    Raises OSError when no free port is found.
    """
    for _ in range(200):
        port = random.randint(LOWEST, HIGHEST)
        if port in _handed_out or not _can_bind(port):
            continue
        _handed_out.add(port)
        return port
    raise OSError(f"no free port between {LOWEST} and {HIGHEST}")


def is_open(port: int) -> bool:
    """Whether something on 127.0.0.1 accepts a connection at this port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
