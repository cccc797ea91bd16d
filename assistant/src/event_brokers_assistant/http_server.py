"""The HTTP server: how many connections it takes, and until when it serves."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import uvicorn

from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.cli.listening import WAITING
from event_brokers.cli.stop_signals import StopSignals
from event_brokers_assistant.connections import Connection, Connections

_FINISH_SECONDS = 30  # that conversations have for their answers when the server ends
_AT_ONCE = 8  # of them that are accepted before the limit is looked at
_MOST = 1000


def connection_limit(wanted: int | None) -> int:
    """Return how many connections may be open at once.

    Half of the files that the process may have open is for connections; the other half is for what
    answers them: models, brokers, databases.

    Parameters:
        wanted: as asked for; None leaves it to this function.

    Raises:
        CommandFailed: so many would leave no files for anything else.
    """
    files = _open_files()
    if files is None:
        return wanted or _MOST
    most = max(1, files // 2)
    if wanted is not None and wanted > most:
        raise CommandFailed(
            f"--max-connections: {wanted} are more than half of the {files} files that may be "
            f"open; give at most {most}, or raise 'ulimit -n'",
            ExitCode.EX_USAGE,
        )
    return wanted or min(_MOST, most)


def _open_files() -> int | None:
    try:
        import resource  # noqa: PLC0415 - Windows has no such limit
    except ImportError:
        return None
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if files == resource.RLIM_INFINITY else files


def serve(
    application: Callable[..., Any],
    listener: socket.socket,
    open_ones: Connections,
    signals: StopSignals,
) -> None:
    """Serve until a signal ends it.

    Parameters:
        application: of ASGI.
        listener: listens already.
        open_ones: how many connections there may be, and how long a request may take to arrive.
        signals: notes those that come before the server does so itself.
    """
    protocol = partial(Connection, open_ones)
    # one parser and one loop wherever it runs: what else is installed must not loosen the limits
    config = uvicorn.Config(
        application, lifespan="on", ws="none", loop="asyncio",
        http=cast("type[Connection]", protocol), backlog=_AT_ONCE,
        log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=_FINISH_SECONDS,
    )  # fmt: skip
    _Server(config, signals).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, signals: StopSignals) -> None:
        super().__init__(config)
        self._signals = signals

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(WAITING)  # asyncio has made it as short as what it accepts at once
        if self._signals.received is not None:
            self.should_exit = True  # from here on the server notes signals itself
