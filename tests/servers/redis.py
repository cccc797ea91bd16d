"""A private Redis server."""

from __future__ import annotations

import shutil

from redis import Redis as Client

from .certificates import Certificates
from .ports import free_port
from .process import ServerProcess


class Redis(ServerProcess):
    """Redis with a plain port, a TLS port, and every command on disk before it is confirmed.

    The user `username` has every right, `default` as well: it is the one as whom Redis itself reads
    its file of commands when it starts.
    """

    name = "redis"
    username = "rasa"
    password = "rasa-secret"

    def __init__(self, certificates: Certificates | None = None) -> None:
        self.port = free_port()
        self.tls_port = free_port()
        self._certificates = certificates
        super().__init__([self.port, self.tls_port])

    @classmethod
    def missing(cls) -> str | None:
        if shutil.which("redis-server") is None:
            return "redis-server is not installed; apt-get install redis-server"
        return None

    @property
    def certificates(self) -> Certificates:
        """Those of the TLS listener, which accepts clients with and without a certificate."""
        if self._certificates is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._certificates

    def connection(self) -> Client:
        """Return a plain client, signed in as the user `default`."""
        return Client(
            self.host, self.port, password=self.password, decode_responses=True, socket_timeout=20
        )  # fmt: skip

    def _prepare(self) -> None:
        if self._certificates is None:
            self._certificates = Certificates(self.folder)
        files = self._certificates
        (self.folder / "redis.conf").write_text(f"""\
bind {self.host}
port {self.port}
tls-port {self.tls_port}
tls-cert-file {files.server_certificate}
tls-key-file {files.server_key}
tls-ca-cert-file {files.ca}
tls-auth-clients optional
dir {self.folder}
save ""
appendonly yes
appendfsync always
user default on >{self.password} ~* &* +@all
user {self.username} on >{self.password} ~* &* +@all
""")

    def _command(self) -> list[str]:
        return ["redis-server", str(self.folder / "redis.conf")]

    def _check(self) -> None:
        with self.connection() as client:
            client.ping()
