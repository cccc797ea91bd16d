"""Until when certificates are valid: those in files, and those that servers have shown."""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

# the three labels that OpenSSL takes for a certificate, in PEM_read_bio_X509_AUX(3)
_PEM = re.compile(
    r"-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----(.+?)-----END \1-----", re.DOTALL | re.ASCII
)
_VERSION, _UTC_TIME = 0xA0, 0x17
_FORMS = {_UTC_TIME: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}

# server -> the certificate it has shown in this process; each change is one call into C
_shown: dict[str, bytes] = {}


def expiries_in(file: str | Path) -> list[datetime]:
    """Return until when each certificate of a PEM file is valid.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds what is no certificate.
    """
    text = Path(file).read_text(encoding="ascii", errors="replace")
    return [valid_until(_decoded(found)) for _, found in _PEM.findall(text)]


def shown_by_servers() -> list[tuple[str, bytes]]:
    """Return the certificates that servers have shown to this process, with who has shown each."""
    return list(_shown.items())


def note_shown_certificates(context: ssl.SSLContext) -> None:
    """Remember the certificate of every server that a context makes a handshake with.

    Parameters:
        context: of a client.
    """
    context.sslsocket_class = _Socket
    context.sslobject_class = _Object


def valid_until(certificate: bytes) -> datetime:
    """Return until when a certificate is valid.

    Parameters:
        certificate: in DER: RFC 5280, section 4.1.

    Raises:
        ValueError: it is none.
    """
    try:
        signed = next(_fields(next(_fields(certificate))[1]))[1]
        fields = [field for field in _fields(signed) if field[0] != _VERSION]
        # behind serial number, algorithm and issuer
        kind, content = list(_fields(fields[3][1]))[1]
        found = datetime.strptime(content.decode("ascii"), _FORMS[kind])
    except (IndexError, KeyError, StopIteration, ValueError) as error:
        raise ValueError("is no certificate") from error
    if kind == _UTC_TIME and found.year >= 2050:
        found = found.replace(year=found.year - 100)  # RFC 5280: two digits are 1950 to 2049
    return found.replace(tzinfo=timezone.utc)


def _decoded(text: str) -> bytes:
    try:
        return base64.decodebytes(text.encode("ascii"))
    except ValueError as error:
        raise ValueError("is no certificate") from error


def _fields(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and the content of each field that stands in another one."""
    while content:
        tag, size, start = content[0], content[1], 2
        if size > 0x80:
            start += size - 0x80
            size = int.from_bytes(content[2:start], "big")
        yield tag, content[start : start + size]
        content = content[start + size :]


class _Socket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        _note(self)


class _Object(ssl.SSLObject):
    def do_handshake(self) -> None:
        super().do_handshake()
        _note(self)


def _note(connection: ssl.SSLSocket | ssl.SSLObject) -> None:
    certificate = connection.getpeercert(binary_form=True)
    if certificate is not None and connection.server_hostname:
        _shown[connection.server_hostname] = certificate
