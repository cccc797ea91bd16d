"""Text as it may stand in a header: no character that could end it, and none that gets lost.

Values are encoded as the HTTP binding of CloudEvents says (version 1.0.2, section 3.1.3.2), names
so that they are tokens (RFC 9110, section 5.6.2).
"""

from __future__ import annotations

import re
from urllib.parse import quote

# the printable characters of ASCII but blank, double quote and percent
_SAFE_IN_VALUE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_SAFE_IN_NAME = "!#$&'*+-.^_`|~"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def encoded_value(text: str) -> str:
    """Return a text as the value of a header, whatever it holds."""
    return quote(text, safe=_SAFE_IN_VALUE)


def encoded_name(text: str) -> str:
    """Return a text as a part of a header's name, whatever it holds."""
    return quote(text, safe=_SAFE_IN_NAME)


def is_name(text: str) -> bool:
    """Return whether a text is a header's name as it stands."""
    return _NAME.fullmatch(text) is not None


def is_value(text: str) -> bool:
    """Return whether a text is a header's value as it stands: visible ASCII, blanks inside."""
    return _VALUE.fullmatch(text) is not None
