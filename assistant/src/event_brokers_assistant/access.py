"""Who may call what of the HTTP API, and how much they may send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from event_brokers import ConfigurationError

BODY_BYTES = 1024**2


@dataclass(frozen=True)
class Access:
    """Who may call what.

    Attributes:
        token: what everything but the webhook wants as `?token=`; None lets everybody in.
        origins: web pages that may call the API, as for CORS; "*" is every page.
        body_bytes: the most that a body may have.

    Raises:
        ConfigurationError: the token is empty.
    """

    token: str | None = None
    origins: Sequence[str] = ()
    body_bytes: int = BODY_BYTES

    def __post_init__(self) -> None:
        if self.token is not None and not self.token.strip():
            raise ConfigurationError("Access.token: is empty; give a token, or None for everybody")
