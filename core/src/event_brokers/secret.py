"""Values that must not be shown: the types that hide them, the one function that masks text."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/\s:@]*):([^\s]*)@")


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
        """Return the password inside the URL, if there is one."""
        return tuple(found.group(2) for found in _PASSWORD_IN_URL.finditer(self._value))


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with every given secret, and every password inside a URL, as `***`.

    Parameters:
        text: what is about to be shown: an error's sentence, a log line.
        secrets: texts that must not appear in it, such as passwords from the options.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _PASSWORD_IN_URL.sub(rf"\1:{MASK}@", text)
