"""The options of `type: mybroker`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from event_brokers import Secret
from event_brokers.plugin.network import Address
from event_brokers.plugin.tls import TlsOptions
from msgspec import Meta

TYPE = "mybroker"
DEFAULT_PORT = 7878


class BrokerOptions(TlsOptions, frozen=True, kw_only=True):
    """What may stand under `event_broker`; the options of TLS come from the base."""

    synonyms: ClassVar[Mapping[str, str]] = {"host": "url"}
    refuses_empty: ClassVar[Mapping[str, str | None]] = {
        **TlsOptions.refuses_empty,
        "password": "username",  # a variable without content is no password
    }
    place: ClassVar[tuple[str, ...]] = ("url", "queue")
    port_option: ClassVar[str] = "url"

    url: Annotated[str, Meta(description="where the server listens: host or host:port")] = (
        "localhost"
    )
    queue: Annotated[
        str, Meta(min_length=1, description="queue that the events go to; made if it is missing")
    ] = "conversation_events"
    username: Annotated[str | None, Meta(description="user to sign in as")] = None
    password: Annotated[Secret | None, Meta(description="the user's password")] = None
    tls: Annotated[bool, Meta(description="whether to speak TLS")] = False

    def __post_init__(self) -> None:
        """Refuse what no single option can say; `ValueError` names the option first."""
        try:
            Address.parse(self.url, DEFAULT_PORT)
        except ValueError as error:
            raise ValueError(f"url: {error}") from error
        if self.password is not None and self.username is None:
            raise ValueError("password: has no effect without username; give both")
        self.refuse_key_without_certificate()

    @property
    def address(self) -> Address:
        """Where the server listens."""
        return Address.parse(self.url, DEFAULT_PORT)
