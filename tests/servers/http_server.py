"""A private HTTP server that takes events: a process of its own, which keeps them in files."""

from __future__ import annotations

import base64
import http
import http.client
import json
import sys
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import http_program

from .certificates import Certificates
from .ports import free_port
from .process import ServerFailed, ServerProcess


class HttpServer(ServerProcess):
    """HTTP with a plain port and a TLS port; the user `username` alone is let in.

    What arrives at a path is kept under its last part. With `?once` behind the path a request
    whose Idempotency-Key is known is kept once.
    """

    name = "http"
    username = "rasa"
    password = "rasa-secret"

    def __init__(self, certificates: Certificates | None = None) -> None:
        self.port = free_port()
        self.tls_port = free_port()
        self._certificates = certificates
        super().__init__([self.port, self.tls_port])

    @classmethod
    def missing(cls) -> str | None:
        return None  # Python is there

    @property
    def certificates(self) -> Certificates:
        """Those of the TLS listener."""
        if self._certificates is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._certificates

    def url(self, name: str, port: int | None = None) -> str:
        """Return where events go that are kept under a name."""
        return f"http://{self.host}:{port or self.port}/events/{name}"

    def behave(
        self,
        *,
        status: int = 0,
        headers: dict[str, str] | None = None,
        most_bytes: int = 1 << 40,
        password: str | None = None,
    ) -> None:
        """Answer from now on in a way; without arguments, as a healthy server.

        Parameters:
            status: of every answer; 0 for 204 once a request is kept.
            headers: of those answers.
            most_bytes: that a body may have.
            password: of `username`.
        """
        behaviour = {
            "status": status, "headers": headers or {}, "most_bytes": most_bytes,
            "login": f"{self.username}:{password or self.password}",
        }  # fmt: skip
        whole = self.folder / "behaviour.new"
        whole.write_text(json.dumps(behaviour), encoding="utf-8")
        whole.replace(self.folder / "behaviour.json")

    def put(self, name: str, body: str) -> None:
        """Send a body as anybody would.

        Parameters:
            name: under which it is kept.
            body: to be kept.
        """
        self._ask("POST", name, body.encode())

    def ask(self) -> None:
        """Ask for nothing in particular; return when the server has answered."""
        self._ask("GET", "health", None)

    def arrived(self, name: str) -> list[dict[str, Any]]:
        """Return the requests that are kept under a name, each with `headers` and `body`."""
        file = self.folder / f"{name}.jsonl"
        if not file.exists():
            return []
        # one that is killed as it writes has answered nothing, and leaves a part of a line
        *lines, _ = file.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines]

    def _prepare(self) -> None:
        if self._certificates is None:
            self._certificates = Certificates(self.folder)
        self.behave()

    def _command(self) -> list[str]:
        certificate = self.certificates.server_key_and_certificate
        program = Path(http_program.__file__)
        return [
            sys.executable, str(program), str(self.folder), str(self.port), str(self.tls_port),
            str(certificate),
        ]  # fmt: skip

    def _check(self) -> None:
        self.ask()

    def _ask(self, method: str, name: str, body: bytes | None) -> None:
        login = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Idempotency-Key": uuid.uuid4().hex}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        with closing(connection):
            connection.request(method, f"/events/{name}", body, headers)
            status = connection.getresponse().status
        if status != http.HTTPStatus.NO_CONTENT:
            raise ServerFailed(f"{self.name} answers {status}")
