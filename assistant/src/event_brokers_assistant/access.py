"""Who may call what of the HTTP API, and how much they may send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BODY_BYTES = 1024**2


@dataclass(frozen=True)
class Access:
    """Who may call what.

    Attributes:
        token: what everything but the webhook wants as `?token=`; None lets everybody in.
        origins: web pages that may call the API, as for CORS; "*" is every page.
        body_bytes: the most that a body may have.
    """

    token: str | None = None
    origins: Sequence[str] = ()
    body_bytes: int = BODY_BYTES
