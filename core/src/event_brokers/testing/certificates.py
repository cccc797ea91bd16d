"""Certificates for 127.0.0.1: a good one, and one for each reason to refuse it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """PEM files of a certificate and its key, which is in PKCS8."""

    certificate: Path
    key: Path


class Certificates:
    """An authority, and certificates that it has signed or has not.

    Parameters:
        folder: for the files.
    """

    def __init__(self, folder: Path) -> None:
        import trustme  # noqa: PLC0415 - for a plugin with TLS alone

        self._folder = folder
        self._authority = trustme.CA()
        self.authority = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.authority))

    def good(self) -> Certificate:
        """Return one that is to be trusted."""
        return self._write(self._authority.issue_cert(HOST, "localhost"))

    def expired(self) -> Certificate:
        """Return one that was good until yesterday."""
        now = datetime.datetime.now(datetime.timezone.utc)
        return self._write(
            self._authority.issue_cert(
                HOST, "localhost", not_before=now - 3 * _DAY, not_after=now - _DAY
            )
        )

    def for_another_host(self) -> Certificate:
        """Return a good one of another server."""
        return self._write(self._authority.issue_cert("elsewhere.invalid"))

    def of_an_unknown_authority(self) -> Certificate:
        """Return one that somebody else has signed."""
        import trustme  # noqa: PLC0415 - as above

        return self._write(trustme.CA().issue_cert(HOST, "localhost"))

    def self_signed(self) -> Certificate:
        """Return one that nobody has signed but itself."""
        from cryptography import x509  # noqa: PLC0415 - comes with trustme
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
        names = [x509.IPAddress(IPv4Address(HOST)), x509.DNSName("localhost")]
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        return self._write_files(_certificate_pem(certificate), _pkcs8(key))

    def _write(self, issued: Any) -> Certificate:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as above

        key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), password=None)
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        return self._write_files(chain, _pkcs8(key))

    def _write_files(self, certificate: bytes, key: bytes) -> Certificate:
        files = Certificate(self._folder / "server.pem", self._folder / "server-key.pem")
        files.certificate.write_bytes(certificate)
        files.key.write_bytes(key)
        return files


BAD: dict[str, Callable[[Certificates], Certificate]] = {
    "expired": Certificates.expired,
    "for another host": Certificates.for_another_host,
    "of an unknown authority": Certificates.of_an_unknown_authority,
    "self-signed": Certificates.self_signed,
}


def _pkcs8(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as above

    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem


def _certificate_pem(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as above

    pem: bytes = certificate.public_bytes(serialization.Encoding.PEM)
    return pem
