"""Certificates for the tests of TLS, made by trustme."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization


@dataclass
class Certificates:
    """PEM files in `folder`: an authority, what it signed, and an authority that signed nothing.

    The server's certificate is for `localhost` and 127.0.0.1. Every private key is PKCS8, the
    only form that Kafka reads.
    """

    folder: Path
    ca: Path = field(init=False)
    other_ca: Path = field(init=False)
    server_certificate: Path = field(init=False)
    server_key: Path = field(init=False)
    server_key_and_certificate: Path = field(init=False)
    client_certificate: Path = field(init=False)
    client_key: Path = field(init=False)
    client_key_password: str = field(init=False, default="key-secret")
    encrypted_client_key: Path = field(init=False)

    def __post_init__(self) -> None:
        authority = trustme.CA()
        server = authority.issue_cert("localhost", "127.0.0.1")
        client = authority.issue_cert("client@localhost", common_name="client")
        self.ca = self._write("ca.pem", authority.cert_pem.bytes())
        self.other_ca = self._write("other_ca.pem", trustme.CA().cert_pem.bytes())
        self.server_certificate = self._write("server_certificate.pem", chain(server))
        self.server_key = self._write("server_key.pem", pkcs8(server))
        self.server_key_and_certificate = self._write("server.pem", pkcs8(server) + chain(server))
        self.client_certificate = self._write("client_certificate.pem", chain(client))
        self.client_key = self._write("client_key.pem", pkcs8(client))
        self.encrypted_client_key = self._write(
            "encrypted_client_key.pem", pkcs8(client, self.client_key_password)
        )

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path


def chain(certificate: trustme.LeafCert) -> bytes:
    """The certificate and those that lead to its authority, in PEM."""
    return b"".join(pem.bytes() for pem in certificate.cert_chain_pems)


def pkcs8(certificate: trustme.LeafCert, password: str | None = None) -> bytes:
    """The certificate's private key in PEM, encrypted when a password is given."""
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), password=None)
    encryption = (
        serialization.BestAvailableEncryption(password.encode())
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
