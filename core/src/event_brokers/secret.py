"""Values that must not be shown: the types that hide them, the one function that masks text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

MASK = "***"
SHORT = 4  # characters; what is shorter stands inside of too many words by chance
_WORDS = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "api_key",
    "odbc_connect", "scram_client_key", "scram_server_key",
)  # fmt: skip
_USER_OF_URL = re.compile(r"://[^/:@]*:")
# bounded, for a text may be a body that somebody made to take long
_NAME = r"[^?=&\s]{0,40}"
_SECRET_IN_QUERY = re.compile(
    rf"([?&]{_NAME}(?:{'|'.join(_WORDS)}){_NAME}=)([^&#\s]+)", re.IGNORECASE
)


class Secret:
    """A text that prints as `***`.

    Parameters:
        value: the text to keep; `reveal()` is the only way to it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself."""
        return self._value

    def hidden(self) -> str:
        """Return what may be shown in its place."""
        return MASK

    def secrets(self) -> tuple[str, ...]:
        """Return the parts that must never be shown."""
        return (self._value,) if self._value else ()

    def __repr__(self) -> str:
        return self.hidden()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._value == self._value

    def __hash__(self) -> int:
        return hash((type(self), self._value))


class SecretUrl(Secret):
    """A host or URL that prints without its password."""

    __slots__ = ()

    def hidden(self) -> str:
        """Return the URL with `***` for its password."""
        return mask(self._value)

    def secrets(self) -> tuple[str, ...]:
        """Return the passwords inside the URL, as they stand there and as they are meant."""
        return tuple(_secrets_in_url(self._value))


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with every given secret, and every password inside a URL, as `***`.

    A secret of fewer than `SHORT` characters is masked where it stands as a word of its own:
    "O***erationalError" would tell that it is "p".

    Parameters:
        text: what is about to be shown: an error's sentence, a log line.
        secrets: texts that must not appear in it, such as passwords from the options.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = _without(text, secret)
    if "://" in text:
        text = re.sub(r"\S+", lambda found: _without_password(found.group()), text)
    return _SECRET_IN_QUERY.sub(rf"\1{MASK}", text)


def means_secret(name: str) -> bool:
    """Return whether an option that nobody has described holds a secret, by its name."""
    return any(word in name.casefold() for word in _WORDS)


def secrets_in(value: Any) -> Iterator[str]:
    """Yield every text inside a value that must never be shown.

    Parameters:
        value: of an option: text, a Secret, or lists and mappings of such.
    """
    if isinstance(value, Secret):
        yield from value.secrets()
    elif isinstance(value, str):
        yield from _secrets_in_url(value)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _texts(item) if means_secret(str(name)) else ()
            yield from secrets_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from secrets_in(item)


def hidden(value: Any) -> Any:
    """Return what may be shown of a value: the same without the secrets inside.

    Parameters:
        value: as for `secrets_in`.
    """
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {
            name: MASK if item and means_secret(str(name)) else hidden(item)
            for name, item in value.items()
        }
    return [hidden(item) for item in value] if isinstance(value, (list, tuple)) else value


def _without(text: str, secret: str) -> str:
    if len(secret) >= SHORT:
        return text.replace(secret, MASK)
    return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", MASK, text)


def _without_password(url: str) -> str:
    before, _, after = _around_password(url)
    return f"{before}{MASK}{after}" if after else url


def _around_password(url: str) -> tuple[str, str, str]:
    """Return the URL in three parts, of which the second is its password; else it alone."""
    head, at, host = url.rpartition("@")
    user = _USER_OF_URL.search(head)
    if user is None:
        return url, "", ""
    return head[: user.end()], head[user.end() :], at + host


def _secrets_in_url(text: str) -> Iterator[str]:
    """Yield the passwords inside of URLs, as they stand there and as they are meant."""
    found = [_around_password(word)[1] for word in text.split()]
    found += [match.group(2) for match in _SECRET_IN_QUERY.finditer(text)]
    for password in filter(None, found):
        yield from dict.fromkeys((password, unquote(password)))


def _texts(value: Any) -> Iterator[str]:
    """Yield what a value with the name of a secret holds."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
        yield str(value)
