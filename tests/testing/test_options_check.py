"""Which options the kit takes for secrets."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import defstruct

from event_brokers import Options, Secret
from event_brokers.plugin_inspection import shown_secrets


@pytest.mark.parametrize(
    ("name", "kind", "is_shown"),
    [
        ("password", str, True),
        ("api_token", str | None, True),
        ("client_secret", list[str], True),
        ("password", Secret, False),
        ("client_secret", Secret | None, False),
        ("token_seconds", int, False),
        ("token_url", str | None, False),
        ("password_file", str, False),
        ("user", str, False),
    ],
)
def test_a_text_that_is_named_a_secret_has_to_be_one(
    name: str, kind: object, is_shown: bool
) -> None:
    """A number is none, and neither is the place where a secret comes from."""
    options: Any = defstruct("Made", [(name, kind)], bases=(Options,), kw_only=True, frozen=True)
    assert shown_secrets(options) == [name] * is_shown
