"""Who may see the page, and from which other pages it may be changed: from none."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from event_brokers import ConfigurationError

COOKIE = "event_brokers_monitor"
LOGIN = "/login"
_API = "/api/"
_OPEN = frozenset({LOGIN, "/page.css"})  # what asks for the token, and how it looks
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HOURS = 12
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with "no-referrer" a form of ours has the origin "null"
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Access:
    """Who may see and change what the page shows.

    Attributes:
        token: what everybody has to give, as a header or to the page that asks for it; None lets
            in whoever is on this machine, under its own name, and nobody else.

    Raises:
        ConfigurationError: the token is empty.
    """

    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.token is not None and not self.token.strip():
            raise ConfigurationError(
                "Access.token: is empty; give a token, or None for this machine alone"
            )

    def refusal(self, scope: Scope) -> Response | None:
        """Return why a request is not answered; None where it is."""
        headers = Headers(scope=scope)
        if self.token is None and not _is_from_here(scope, headers.get("host", "")):
            return refused(
                HTTPStatus.FORBIDDEN,
                "without --auth-token the page is for this machine alone, and at 127.0.0.1",
            )
        if scope["method"] not in _SAFE and not _is_same_origin(headers):
            return refused(HTTPStatus.FORBIDDEN, "another page may not change anything here")
        if path_of(scope).startswith(_API) and _is_of_another_page(headers):
            return refused(HTTPStatus.FORBIDDEN, "another page may not read anything here")
        if path_of(scope) not in _OPEN and not self._is_known(headers):
            return refused(HTTPStatus.UNAUTHORIZED, "give the token as 'authorization: Bearer'")
        return None

    def takes(self, given: str) -> bool:
        """Return whether this is the token."""
        return self._has_bytes(_bytes(given))

    def cookie(self, scope: Scope) -> str:
        """Return the header that lets a browser in which has given the token."""
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        path = scope.get("root_path", "") or "/"
        return (
            f"{COOKIE}={self._in_cookie()}; Path={path}; Max-Age={_HOURS * 3600}; HttpOnly; "
            f"SameSite=Strict{secure}"
        )

    def _is_known(self, headers: Headers) -> bool:
        if self.token is None:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        # Starlette reads headers as Latin-1; a client sends whichever bytes the token has
        if kind.lower() == "bearer" and self._has_bytes(given.strip(" \t").encode("latin-1")):
            return True
        cookie = _cookie_in(headers.get("cookie", ""))
        return hmac.compare_digest(_bytes(cookie), _bytes(self._in_cookie()))

    def _has_bytes(self, given: bytes) -> bool:
        return self.token is not None and hmac.compare_digest(given, _bytes(self.token))

    def _in_cookie(self) -> str:
        # who reads the cookies of a browser has not got the token, which opens more than this page
        return hmac.new(_bytes(self.token or ""), COOKIE.encode(), hashlib.sha256).hexdigest()


class Guard:
    """An ASGI application that asks who it is, and says to browsers what the page may do.

    Parameters:
        app: what is guarded.
        access: who may.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._access.refusal(scope)
        if refusal is not None and _asks_for_page(scope, refusal):
            scope = {**scope, "path": f"{scope.get('root_path', '')}{LOGIN}", "raw_path": None}
            refusal = None
        answer = self._app if refusal is None else refusal
        await answer(scope, receive, send_with_headers)


def path_of(scope: Scope) -> str:
    """Return the path below that at which the page is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def refused(status: HTTPStatus, why: str) -> Response:
    """Return an answer that says why there is no other.

    Parameters:
        status: of HTTP.
        why: a clause.
    """
    return JSONResponse({"error": why}, status)


def _asks_for_page(scope: Scope, refusal: Response) -> bool:
    is_page = scope["method"] in ("GET", "HEAD") and path_of(scope) == "/"
    return is_page and refusal.status_code == HTTPStatus.UNAUTHORIZED


def _is_from_here(scope: Scope, host: str) -> bool:
    """Return whether a program of this machine asks, and by this machine's name.

    A page elsewhere can let its own name stand for 127.0.0.1 (DNS rebinding); its browser then
    says that name as the host.
    """
    client = scope.get("client")
    return (client is None or _is_loopback(client[0])) and _names_loopback(host)


def _names_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or _is_loopback(name)


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _is_same_origin(headers: Headers) -> bool:
    """Return whether the page itself asks; what is no browser says neither of these."""
    is_same_site = headers.get("sec-fetch-site", "same-origin") == "same-origin"
    return is_same_site and _has_own_origin(headers)


def _is_of_another_page(headers: Headers) -> bool:
    """Return whether a page elsewhere asks, and not somebody who has typed the address."""
    is_elsewhere = headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
    return is_elsewhere or not _has_own_origin(headers)


def _has_own_origin(headers: Headers) -> bool:
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
    except ValueError:
        return False


def _cookie_in(header: str) -> str:
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(header)
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
