"""Where a command that serves HTTP listens."""

from __future__ import annotations

import ipaddress
import socket

from event_brokers.cli.exit_codes import CommandFailed, ExitCode

WAITING = 2048  # connections that the system keeps for us


def listen(interface: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Parameters:
        interface: an address of this machine; 0.0.0.0 or :: for all of them.
        port: 0 takes a free one.

    Raises:
        CommandFailed: the address or the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    # asyncio turns off the delay of small packets only where the protocol was named
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((interface, port))
        listener.listen(WAITING)
    except OSError as error:
        listener.close()
        reason = (error.strerror or str(error)).lower()
        raise CommandFailed(
            f"--port: cannot listen at {interface}, port {port}: {reason}; name another",
            ExitCode.EX_UNAVAILABLE,
        ) from error
    return listener


def url(listener: socket.socket) -> str:
    """Return the URL of a server that listens there."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(listener: socket.socket) -> bool:
    """Return whether only programs of this machine can connect."""
    address = ipaddress.ip_address(listener.getsockname()[0])
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
