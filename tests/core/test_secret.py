"""No secret in anything that is shown, and no sentence garbled by one that is short."""

from __future__ import annotations

import pytest

from event_brokers import SecretUrl
from event_brokers.secret import mask


@pytest.mark.parametrize("secret", ["p", "at", "ion"])
def test_a_short_secret_does_not_garble_words(secret: str) -> None:
    """Else "O***erationalError" would tell it; as a word of its own it is masked."""
    sentence = "OperationalError: no station at patience"
    assert mask(sentence.replace(" at ", " - "), [secret]) == sentence.replace(" at ", " - ")
    assert mask(f"refused '{secret}' and {secret}, {secret}x", [secret]) == (
        f"refused '***' and ***, {secret}x"
    )


def test_a_secret_of_four_characters_is_masked_everywhere() -> None:
    """Also inside of a word, and the longer of two that overlap first."""
    assert mask("xpassx passport", ["pass", "passport"]) == "x***x ***"


@pytest.mark.parametrize("secret", [".", "+", "(?", "\\d", "é", "\n"])
def test_a_secret_of_signs_is_taken_to_the_letter(secret: str) -> None:
    """It is no pattern."""
    assert mask(f"said {secret} here, 5 dd", [secret]) == "said *** here, 5 dd"


def test_no_secret_masks_nothing() -> None:
    """An empty password is none."""
    assert mask("all of it", ["", ""]) == "all of it"


@pytest.mark.parametrize(
    ("url", "shown", "secrets"),
    [
        ("amqp://u:pw@h:1/v", "amqp://u:***@h:1/v", {"pw"}),
        ("amqp://u:p@w:x@h/", "amqp://u:***@h/", {"p@w:x"}),
        ("amqp://:p%40w@h", "amqp://:***@h", {"p%40w", "p@w"}),
        ("amqp://u:@h", "amqp://u:***@h", set()),
        ("amqp://u@h:1/v", "amqp://u@h:1/v", set()),
        ("postgresql://h/d?user=u&password=p%40w#x", "postgresql://h/d?user=u&password=***#x",
         {"p%40w", "p@w"}),
        ("mysql://u:pw@h/d?ssl_PassWord=other", "mysql://u:***@h/d?ssl_PassWord=***",
         {"pw", "other"}),
        ("localhost", "localhost", set()),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_passwords(url: str, shown: str, secrets: set[str]) -> None:
    """Where the user stands, and in its query; masked as they stand there and as they are meant."""
    assert repr(SecretUrl(url)) == shown
    assert set(SecretUrl(url).secrets()) == secrets


@pytest.mark.parametrize(
    "text",
    ["://a:" * 200_000, "://a:" * 200_000 + "@", "?" * 10**6, "?password" * 10**5,
     "&" + "password" * 10**5],
    ids=["users", "user and host", "queries", "names", "one name"],
)  # fmt: skip
def test_no_text_takes_long_to_mask(text: str) -> None:
    """Although somebody made it for that; with a search that goes back it would be hours."""
    assert mask(text, ["canary"])
