"""Until when a certificate is valid, read from its bytes, and noted when a server shows it."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import certificates
from event_brokers.plugin.tls import TlsOptions, client_context

UTC = datetime.timezone.utc
AUTHORITY = trustme.CA()


@given(
    st.datetimes(
        datetime.datetime(1971, 1, 1), datetime.datetime(2199, 1, 1), timezones=st.just(UTC)
    )
)
def test_the_end_is_read_in_both_forms_that_certificates_have(end: datetime.datetime) -> None:
    """UTCTime until 2049, GeneralizedTime from then on: RFC 5280."""
    end = end.replace(microsecond=0)
    start = datetime.datetime(1970, 1, 1, tzinfo=UTC)
    signed = AUTHORITY.issue_cert("localhost", not_before=start, not_after=end)
    pem = signed.cert_chain_pems[0].bytes().decode("ascii")
    assert certificates.valid_until(ssl.PEM_cert_to_DER_cert(pem)) == end


@given(st.binary(max_size=200))
def test_what_is_no_certificate_is_refused(content: bytes) -> None:
    """With ValueError, whatever it is."""
    with pytest.raises(ValueError, match="is no certificate"):
        certificates.valid_until(content)


def test_a_file_tells_of_each_of_its_certificates(tmp_path: Path) -> None:
    """A chain, or a bundle of authorities; what stands between them is passed over."""
    file = tmp_path / "bundle.pem"
    pem = AUTHORITY.cert_pem.bytes().decode("ascii")
    file.write_text(f"an authority\n{pem}\nanother one\n{pem}", encoding="utf-8")
    first, second = certificates.expiries_in(file)
    assert first == second > datetime.datetime.now(UTC)


@pytest.mark.parametrize("label", ["X509 CERTIFICATE", "TRUSTED CERTIFICATE"])
def test_every_label_that_openssl_takes_is_read(tmp_path: Path, label: str) -> None:
    """Of an authority, an old one and one with notes behind it."""
    file = tmp_path / "authority.pem"
    text = AUTHORITY.cert_pem.bytes().decode("ascii").replace("CERTIFICATE", label)
    file.write_text(text, encoding="ascii")
    assert len(certificates.expiries_in(file)) == 1


@pytest.mark.parametrize("damage", ["QUJ", "QUJD", "\xff"])
def test_a_damaged_certificate_in_a_file_is_refused(tmp_path: Path, damage: str) -> None:
    """With one sentence, whatever is wrong with it."""
    file = tmp_path / "damaged.pem"
    text = f"-----BEGIN CERTIFICATE-----\n{damage}\n-----END CERTIFICATE-----\n"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"^is no certificate$"):
        certificates.expiries_in(file)


@pytest.mark.parametrize("checked", [True, False])
def test_the_certificate_that_a_server_shows_is_noted(tmp_path: Path, checked: bool) -> None:
    """By every context that plugins are given, without a word from the plugin."""
    authority = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(authority))
    end = (datetime.datetime.now(UTC) + datetime.timedelta(days=12)).replace(microsecond=0)
    name = f"{'checked' if checked else 'unchecked'}.localhost"
    shown = AUTHORITY.issue_cert(name, not_after=end)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.configure_cert(server)
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        accepted, _ = listener.accept()
        with server.wrap_socket(accepted, server_side=True) as connection:
            connection.recv(1)

    answering = threading.Thread(target=answer)
    answering.start()
    context = client_context(TlsOptions(ssl_cafile=str(authority), ssl_check_hostname=checked))
    with (
        listener,
        socket.create_connection(listener.getsockname()) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        connection.sendall(b"x")
    answering.join()
    shown_by = dict(certificates.shown_by_servers())
    assert certificates.valid_until(shown_by[name]) == end
