"""Signatures after the Standard Webhooks specification, version 1.0.0, with a shared secret.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

_PREFIX = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64  # "at least 24 bytes (192 bits, 512 maximum)"


def keys_of(secrets: str) -> list[bytes]:
    """Return the keys that secrets stand for.

    Parameters:
        secrets: `whsec_` and base64; several with blanks between while one replaces another.

    Raises:
        ValueError: one is no such secret; says why, and shows nothing of it.
    """
    keys = [_key(secret) for secret in secrets.split()]
    if not keys:
        raise ValueError("is empty; give whsec_ and the base64 of 24 to 64 random bytes")
    return keys


def signature_headers(
    keys: Sequence[bytes], message_id: str, seconds: int, body: bytes
) -> dict[str, str]:
    """Return the three headers that sign a request.

    Parameters:
        keys: each signs.
        message_id: the same whenever it is sent again, and fit for a header.
        seconds: of this attempt, since 1970.
        body: as it is sent.
    """
    # a full stop ends the id in what is signed: within the id it would let parts be moved
    message_id = message_id.replace(".", "%2E")
    signed = f"{message_id}.{seconds}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(_signature(key, signed) for key in keys),
    }


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        # no cause: its text may show a part
        raise ValueError(f"is not {_PREFIX} and base64; copy it whole") from None
    if not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(f"stands for {len(key)} bytes, not {_LEAST_BYTES} to {_MOST_BYTES}")
    return key
