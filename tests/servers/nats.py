"""A private NATS server with JetStream."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import nats
from nats.js import JetStreamContext

from .ports import free_port
from .process import ServerProcess

_Result = TypeVar("_Result")
_SECONDS = 20.0


class Nats(ServerProcess):
    """NATS with JetStream on disk, and the user `username`.

    Parameters:
        certificate: PEM file, for TLS on the same port; nobody is served without TLS then.
        key: PEM file of its key.
    """

    name = "nats"
    username = "rasa"
    password = "rasa-secret"
    max_payload = 4 * 1024 * 1024

    def __init__(self, certificate: Path | None = None, key: Path | None = None) -> None:
        self._certificate = certificate
        self._key = key
        self.port = free_port()
        super().__init__([self.port])

    @classmethod
    def missing(cls) -> str | None:
        if program() is None:
            return "nats-server is not installed; apt-get install nats-server"
        return None

    def run(self, use: Callable[[JetStreamContext], Awaitable[_Result]]) -> _Result:
        """Return what a coroutine does with a plain client of JetStream."""

        async def connected() -> _Result:
            client = await nats.connect(
                f"nats://{self.host}:{self.port}", user=self.username, password=self.password,
                error_cb=_say_nothing, allow_reconnect=False, max_reconnect_attempts=1,
                reconnect_time_wait=0, connect_timeout=5,
            )  # fmt: skip
            try:
                return await use(client.jetstream(timeout=_SECONDS))
            finally:
                await client.close()

        return asyncio.run(connected())

    def change_password(self, password: str) -> None:
        """Let the server know another password of `username`, while it runs.

        Parameters:
            password: the new one.
        """
        self._write_configuration(password)
        assert self._main is not None
        os.kill(self._main, signal.SIGHUP)

    def _prepare(self) -> None:
        self._write_configuration(self.password)

    def _write_configuration(self, password: str) -> None:
        tls = ""
        if self._certificate is not None:
            tls = f'tls {{ cert_file: "{self._certificate}", key_file: "{self._key}" }}'
        (self.folder / "nats.conf").write_text(f"""\
listen: "{self.host}:{self.port}"
max_payload: {self.max_payload}
jetstream {{ store_dir: "{self.folder}" }}
authorization {{ user: "{self.username}", password: "{password}" }}
{tls}
""")

    def _command(self) -> list[str]:
        return [str(program()), "--config", str(self.folder / "nats.conf")]

    def _check(self) -> None:
        if self._certificate is None:
            self.run(lambda jetstream: jetstream.account_info())


def program() -> Path | None:
    """Where the server's program is, or None; Debian has it in a folder for administrators."""
    found = shutil.which("nats-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return Path(found) if found else None


async def _say_nothing(_error: Exception) -> None:
    """Hear an error that is raised as well."""
