"""The options of a type with one server, and what its failures mean for delivery, in words."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, ClassVar

from msgspec import Meta

from event_brokers.errors import (
    BrokerUnavailable,
    ConfigurationError,
    EventBrokersError,
    RejectedEvents,
)
from event_brokers.event import Event
from event_brokers.plugin.causes import causes_of
from event_brokers.plugin.network import Address, connection_problem
from event_brokers.plugin.tls import (
    TlsOptions,
    client_context,
    handshake_problem,
    warn_of_plain_password,
)
from event_brokers.secret import Secret

_WAY_TO_TLS = "give tls: true"
_NEED_TLS = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password", "require_tls")


class ServerOptions(TlsOptions, frozen=True, kw_only=True):
    """The options of one server: where it is, who signs in, and TLS; the base of an options class.

    Attributes:
        default_port: where the server listens unless `url` says otherwise; to be set.
    """

    synonyms: ClassVar[Mapping[str, str]] = {"host": "url"}
    refuses_empty: ClassVar[Mapping[str, str | None]] = {
        **TlsOptions.refuses_empty,
        "password": "username",  # a variable without content is no password
    }
    place: ClassVar[tuple[str, ...]] = ("url",)
    port_option: ClassVar[str] = "url"
    default_port: ClassVar[int]

    url: Annotated[str, Meta(description="where the server is: host or host:port")] = "localhost"
    username: Annotated[str | None, Meta(description="user")] = None
    password: Annotated[Secret | None, Meta(description="the user's password")] = None
    tls: Annotated[bool, Meta(description="whether to speak TLS")] = False

    def __post_init__(self) -> None:
        """Check the rules over several options; for a subclass with rules of its own to call.

        Raises:
            ValueError: one is broken; the text begins with the option's name.
        """
        try:
            _ = self.address
        except ValueError as error:
            raise ValueError(f"url: {error}") from error
        for option in _NEED_TLS:
            # whoever wrote it counts on the protection: going on without it would be silent
            if getattr(self, option) and not self.tls:
                raise ValueError(f"{option}: has no effect without TLS; {_WAY_TO_TLS}")
        self.refuse_key_without_certificate()

    @property
    def address(self) -> Address:
        """Where the server listens."""
        return Address.parse(self.url, self.default_port)

    @property
    def revealed_password(self) -> str | None:
        """The password itself, to be handed to a client and shown to nobody."""
        return None if self.password is None else self.password.reveal()


def tls_context(options: ServerOptions, type_name: str) -> ssl.SSLContext | None:
    """Return the TLS context of one connection; None where `tls` is off.

    Parameters:
        options: of the plugin.
        type_name: the plugin's, for the warning of a password that can be read on its way.

    Raises:
        ConfigurationError: a file is missing or is not what it should be.
    """
    if options.tls:
        return client_context(options)
    if options.password is not None:
        warn_of_plain_password(type_name, options.address, _WAY_TO_TLS)
    return None


def refuse_downgrade(options: ServerOptions, context: ssl.SSLContext | None) -> None:
    """Refuse to go on in plain text where TLS was asked for; call it before a password is sent.

    For a client that begins in plain text and lets the server decide, as NATS and SMTP do.

    Parameters:
        options: of the plugin.
        context: what `tls_context` returned for this connection.

    Raises:
        ConfigurationError: `tls` is on, and nobody has made a handshake with this context.
    """
    if context is not None and not context.session_stats()["connect_good"]:
        raise ConfigurationError(
            f"event_broker.tls: '{options.address}' offers no TLS; enable it there, or take tls out"
        )


@contextmanager
def explaining(
    options: ServerOptions,
    denied: tuple[type[Exception], ...],
    lost: tuple[type[Exception], ...] = (),
    confirmed: Collection[str] = (),
) -> Iterator[None]:
    """Say of what a client raises in the block what it means for delivery.

    What it knows nothing of goes through as it is: in `publish` that is an event that fails alone.
    What the client itself says is not shown, for it may quote a password or an event.

    Parameters:
        options: say which server it is.
        denied: classes of the client's errors that say that the server does not let the user in.
        lost: classes of the client's errors that are not about an event. Those of the standard
            library are known.
        confirmed: ids of the events that need not be sent again; it may be added to in the block.

    Raises:
        ConfigurationError: a person must change something: user, password, TLS.
        BrokerUnavailable: the server cannot be reached, or was lost.
    """
    try:
        yield
    except EventBrokersError:
        raise
    except Exception as error:
        explained = _explain(error, options, denied, lost, confirmed)
        if explained is None:
            raise
        raise explained from None


def describe(options: ServerOptions, place: str, is_there: bool) -> list[str]:
    """Return what the hook `check` says: where we are connected to, as whom and how, and the place.

    Parameters:
        options: of the plugin.
        place: where the events go, in words, such as "stream 'events'".
        is_there: whether it was found; where not, `connect` makes it.
    """
    user = "without a login" if options.username is None else f"as {options.username}"
    checked = "with" if options.ssl_check_hostname else "without"
    certificate = ", client certificate given" if options.ssl_certfile else ""
    tls = f"TLS {checked} hostname check{certificate}" if options.tls else "no TLS"
    found = "found" if is_there else "is missing; it is made at the first connect"
    return [f"connected to {options.address} {user}, {tls}", f"{place} {found}"]


def _bytes_of_body(event: Event) -> int:
    return len(event.body)


def refuse_larger(
    events: Iterable[Event], most: int, size_of: Callable[[Event], int] = _bytes_of_body
) -> None:
    """Refuse a batch in which events are larger than the server takes, before any of it is sent.

    For a server that ends the connection over one, which would look like an outage. The core sends
    the others again without it.

    Parameters:
        events: the batch.
        most: bytes that the server takes.
        size_of: bytes that it counts of an event; those of the body unless given.

    Raises:
        RejectedEvents: names the events that are too large.
    """
    if too_large := [event.id for event in events if size_of(event) > most]:
        reason = f"more than the {most} bytes that the server takes"
        raise RejectedEvents(dict.fromkeys(too_large, reason))


def refuse_to_make_again(option: str, name: str, used: set[str]) -> None:
    """Refuse to make a place in which events were confirmed before; call it where one is missing.

    Parameters:
        option: that names the place.
        name: the place's.
        used: as the hooks `connect` and `consume` get it.

    Raises:
        ConfigurationError: it was used before, and what it held is lost with it.
    """
    if name in used:
        raise ConfigurationError(
            f"event_broker.{option}: '{name}' was used before and is now missing; events are kept "
            "and no new one is made: bring it back, or make it there"
        )


def _explain(
    error: Exception,
    options: ServerOptions,
    denied: tuple[type[Exception], ...],
    lost: tuple[type[Exception], ...],
    confirmed: Collection[str],
) -> EventBrokersError | None:
    mistake = _denial(error, options, denied) or _tls_mistake(error, options)
    if mistake is not None:
        return ConfigurationError(mistake, confirmed)
    problem = connection_problem(error, options.address)
    if problem is None and isinstance(error, lost):
        problem = f"{options.address}: the client failed with {type(error).__name__}"
    return None if problem is None else BrokerUnavailable(problem, confirmed)


def _denial(
    error: Exception, options: ServerOptions, denied: tuple[type[Exception], ...]
) -> str | None:
    if not any(isinstance(cause, denied) for cause in causes_of(error)):
        return None
    where = f"'{options.address}'"
    if options.password is None:
        return f"event_broker.password: missing; {where} lets nobody in without one"
    who = "it" if options.username is None else f"the user '{options.username}'"
    return f"event_broker.password: {where} refuses {who}; check username and password"


def _tls_mistake(error: Exception, options: ServerOptions) -> str | None:
    if options.tls:
        return handshake_problem(error, str(options.address), options)
    if any(isinstance(cause, ssl.SSLError) for cause in causes_of(error)):
        return f"event_broker.tls: '{options.address}' wants TLS; {_WAY_TO_TLS}"
    return None
