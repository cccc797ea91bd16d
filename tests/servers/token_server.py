"""A small OAuth 2.0 server over HTTPS: gives signed tokens, and the keys to validate them with."""

from __future__ import annotations

import base64
import json
import math
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from joserfc import jwt
from joserfc.jwk import RSAKey
from typing_extensions import Self

from .certificates import Certificates
from .ports import free_port

Answer = tuple[int, dict[str, str], bytes]


class TokenServer:
    """Gives tokens by client credentials at `/token`, and its public key at `/keys`.

    Attributes:
        client_id: the client it knows.
        client_secret: that client's; holds what a form and a header would take for their own.
        lifetime: seconds for which the next tokens are good.
        answer: takes the place of what it would say at `/token`.
        requests: the forms that were sent there, with the client's id.
    """

    issuer = "https://issuer.example"
    audience = "kafka-cluster"

    def __init__(
        self, certificates: Certificates, *, key: RSAKey | None = None, with_tls: bool = True
    ) -> None:
        self.client_id = "rasa:üser"
        self.client_secret = "client-secret/+%&= ü"
        self.lifetime = 600.0
        self.answer: Callable[[], Answer] | None = None
        self.requests: list[dict[str, str]] = []
        self.key = key or new_key()
        self.port = free_port()
        self._scheme = "https" if with_tls else "http"
        self._context: ssl.SSLContext | None = None
        if with_tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificates.server_key_and_certificate)
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where tokens are given."""
        return f"{self._scheme}://localhost:{self.port}/token"

    @property
    def keys_url(self) -> str:
        """Where the public key is."""
        return f"{self._scheme}://localhost:{self.port}/keys"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, at the same port each time."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            """Answers one connection."""

            timeout = 60

            def do_GET(self) -> None:
                """Send the public key."""
                keys = {"keys": [owner.key.as_dict(private=False) | {"alg": "RS256"}]}
                self._send((200, {"Content-Type": "application/json"}, json.dumps(keys).encode()))

            def do_POST(self) -> None:
                """Give a token, or say why not."""
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self._send(owner._give(self.headers.get("Authorization", ""), form))

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base
                """Say nothing."""

            def _send(self, answer: Answer) -> None:
                status, headers, body = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = _Server(("127.0.0.1", self.port), Handler, self._context)
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01])
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is None or thread is None:
            return
        server.shutdown()
        server.server_close()
        thread.join()

    def token(self, **claims: Any) -> str:
        """Return a signed token.

        Parameters:
            claims: in place of what it says otherwise.
        """
        now = time.time()
        said = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": "the-client",
            "iat": int(now),
            "exp": math.ceil(now + self.lifetime),
            **claims,
        }
        return jwt.encode({"alg": "RS256", "kid": "the-key"}, said, self.key)

    def _give(self, authorization: str, form: str) -> Answer:
        words = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        client_id, _, client_secret = (unquote_plus(part) for part in words.partition(":"))
        sent = {name: values[0] for name, values in parse_qs(form).items()}
        self.requests.append({**sent, "client_id": client_id})
        if self.answer is not None:
            return self.answer()
        if (client_id, client_secret) != (self.client_id, self.client_secret):
            return said(401, error="invalid_client", error_description=client_secret)
        if sent.get("grant_type") != "client_credentials":
            return said(400, error="unsupported_grant_type")
        claims = {"scope": sent["scope"]} if "scope" in sent else {}
        return said(
            200,
            access_token=self.token(**claims),
            token_type="Bearer",
            expires_in=int(self.lifetime),
        )


def new_key() -> RSAKey:
    """Return a key that nobody knows yet."""
    key: RSAKey = RSAKey.generate_key(2048, {"kid": "the-key", "use": "sig"})
    return key


def said(status: int, **body: Any) -> Answer:
    """Return an answer in JSON."""
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


class _Server(ThreadingHTTPServer):
    """Greets each client with TLS on the thread that is for it."""

    daemon_threads = True

    def __init__(self, address: Any, handler: Any, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(address, handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self._context is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(60)
        with self._context.wrap_socket(request, server_side=True) as connection:
            super().finish_request(connection, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that go away."""
