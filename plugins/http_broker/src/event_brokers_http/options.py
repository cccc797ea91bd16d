"""The options of `type: http`, and the rules over several of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from event_brokers import Secret, SecretUrl
from event_brokers.plugin.tls import TlsOptions
from event_brokers.plugin.without_effect import DELIVERY, HTTP_ENDPOINT
from event_brokers_http.address import Url, parse
from event_brokers_http.header_text import is_name, is_value
from event_brokers_http.signature import keys_of

DEFAULT_MAX_BATCH = 100
_TAKEN_HERE = ("headers", "token")
# of the connection and of how a body is framed, and what this plugin says of each request
_OWN_HEADERS = (
    "connection", "content-encoding", "content-length", "content-type", "expect", "host",
    "idempotency-key", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
)  # fmt: skip
_OWN_PREFIXES = ("ce-", "event-", "proxy-", "webhook-")
_LOGIN_HEADER = "authorization"


class HTTPOptions(TlsOptions, frozen=True, kw_only=True):
    """The options of `type: http`."""

    synonyms: ClassVar[Mapping[str, str]] = {"host": "url"}
    superseded: ClassVar[Mapping[str, str]] = {
        **DELIVERY,
        **{name: text for name, text in HTTP_ENDPOINT.items() if name not in _TAKEN_HERE},
        "params": "has no effect; write them into the url, behind a question mark",
        "token_name": "has no effect; the token is sent as Authorization: Bearer",
    }
    refuses_empty: ClassVar[Mapping[str, str | None]] = {
        **TlsOptions.refuses_empty,
        "token": None,
        "signing_secret": None,
        "password": "username",
    }
    place: ClassVar[tuple[str, ...]] = ("url",)
    port_option: ClassVar[str] = "url"

    url: Annotated[
        SecretUrl,
        Meta(description="where events go: https://host/path; https where no scheme is given"),
    ]
    method: Annotated[
        Literal["POST", "PUT", "PATCH"], Meta(description="method of the requests")
    ] = "POST"
    headers: Annotated[
        dict[str, Secret] | None,
        Meta(description="further headers of every request: {X-Api-Key: ...}; never shown"),
    ] = None
    token: Annotated[Secret | None, Meta(description="sent as Authorization: Bearer")] = None
    username: Annotated[str | None, Meta(description="user; sent as Authorization: Basic")] = None
    password: Annotated[Secret | None, Meta(description="the user's password")] = None
    timeout: Annotated[
        float,
        Meta(gt=0, le=300, description="seconds for one request until its whole answer is there"),
    ] = 10.0
    batch: Annotated[
        Literal["none", "array", "lines"],
        Meta(description="none: one event a request; array: a JSON array; lines: one event a line"),
    ] = "none"
    max_batch: Annotated[
        Annotated[int, Meta(ge=1, le=4096)] | None,
        Meta(description=f"events in a request at most; {DEFAULT_MAX_BATCH} unless given"),
    ] = None
    format: Annotated[
        Literal["json", "cloudevents", "cloudevents-binary"],
        Meta(
            description="json: the event itself; cloudevents: CloudEvents 1.0 in structured mode, "
            "or its batch; cloudevents-binary: the event itself, and attributes as headers"
        ),
    ] = "json"
    source: Annotated[
        str, Meta(description="CloudEvents: where the events come from, a URI reference")
    ] = "event-brokers"
    compression: Annotated[
        Literal["none", "gzip"], Meta(description="Content-Encoding of the bodies")
    ] = "none"
    signing_secret: Annotated[
        Secret | None,
        Meta(
            description="whsec_..., which signs each request after the Standard Webhooks "
            "specification; several with blanks between while one replaces another"
        ),
    ] = None
    probe: Annotated[
        Literal["OPTIONS", "HEAD", "GET"],
        Meta(description="safe method with which the server is asked whether it is there"),
    ] = "OPTIONS"

    def __post_init__(self) -> None:
        self._check_url()
        self._check_tls()
        self._check_login()
        self._check_headers()
        self._check_form()

    def warnings(self) -> Iterable[str]:
        """Return what has no effect."""
        if self.max_batch is not None and self.batch == "none":
            yield "max_batch: has no effect with batch: none; give batch: array or lines"

    @property
    def parsed_url(self) -> Url:
        """What `url` says."""
        return parse(self.url.reveal())

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.parsed_url.scheme == "https"

    @property
    def user(self) -> str | None:
        """Who signs in by a password; None where nobody does."""
        return self.parsed_url.username if self.username is None else self.username

    @property
    def revealed_password(self) -> str | None:
        """The password itself, to be sent and shown to nobody."""
        return self.parsed_url.password if self.password is None else self.password.reveal()

    @property
    def events_in_a_request(self) -> int:
        """Events that one request carries at most."""
        return 1 if self.batch == "none" else self.max_batch or DEFAULT_MAX_BATCH

    def _check_url(self) -> None:
        try:
            url = self.parsed_url
        except ValueError as error:
            raise ValueError(f"url: {error}") from error
        if url.scheme == "http" and url.address.port == 443:
            raise ValueError("url: port 443 is that of https://; write https://")

    def _check_tls(self) -> None:
        if not self.uses_tls:
            for option in ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password"):
                # whoever wrote it counts on TLS: going on without it would be silent
                if getattr(self, option) is not None:
                    raise ValueError(f"{option}: has no effect with http://; write https://")
            if self.require_tls:
                raise ValueError("require_tls: there is no TLS with http://; write https://")
        self.refuse_key_without_certificate()

    def _check_login(self) -> None:
        url = self.parsed_url
        if self.username is not None and url.username is not None:
            raise ValueError("username: the url names a user, too; give one")
        if self.password is not None and self.username is None:
            raise ValueError("password: has no effect without username; give both")
        if self.user is not None and (":" in self.user or not self.user.isprintable()):
            raise ValueError("username: holds a colon or a control character, which HTTP cannot")
        if self.token is None:
            return
        if self.user is not None:
            raise ValueError("token: has no effect beside a user and password; give one of both")
        if not is_value(self.token.reveal()) or " " in self.token.reveal():
            raise ValueError("token: holds a blank or a character that is not ASCII; copy it whole")

    def _check_headers(self) -> None:
        given: set[str] = set()
        for name, value in (self.headers or {}).items():
            folded = name.casefold()
            if not is_name(name):
                raise ValueError("headers: a name is no name of a header; take letters, digits, -")
            if folded in _OWN_HEADERS or folded.startswith(_OWN_PREFIXES):
                raise ValueError(f"headers: {name} is set by event-brokers itself; take it out")
            if folded in given:
                raise ValueError(f"headers: {name} is given twice; take one out")
            if not value.reveal():
                raise ValueError(f"headers: {name} is empty; give it a value, or take it out")
            if not is_value(value.reveal()):
                raise ValueError(
                    f"headers: {name} holds a line break, a character that is not ASCII, or a "
                    "blank at its end; encode it as the server expects it"
                )
            given.add(folded)
        if _LOGIN_HEADER in given and (self.token is not None or self.user is not None):
            raise ValueError("headers: Authorization is set by the login, too; give one")

    def _check_form(self) -> None:
        if self.format == "cloudevents-binary" and self.batch != "none":
            raise ValueError("format: cloudevents-binary has one event a request; take batch out")
        if not is_value(self.source) or " " in self.source:
            raise ValueError("source: is no URI reference; take ASCII without blanks")
        if self.signing_secret is not None:
            try:
                keys_of(self.signing_secret.reveal())
            except ValueError as error:
                raise ValueError(f"signing_secret: {error}") from error
