"""The SQL plugin over TLS: each mistake halts with the sentence that every type gives."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import trustme

import event_brokers
from event_brokers import ConfigurationError, Event, endpoints
from event_brokers.plugin import tls as plugin_tls
from event_brokers_sql.hooks import check, connect
from servers import Certificates, MariaDB, PostgreSQL
from servers.certificates import chain, pkcs8
from waiting import wait_until

Server = PostgreSQL | MariaDB
NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)
SERVERS = [
    pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")),
    pytest.param("mariadb", marks=pytest.mark.xdist_group("mariadb")),
]
ENCRYPTED = {
    "postgresql": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mariadb": "SHOW SESSION STATUS LIKE 'Ssl_cipher'",
}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    """Return each server with TLS in turn."""
    found: Server = request.getfixturevalue(f"{request.param}_over_tls")
    return found


@pytest.fixture(params=SERVERS)
def plain_server(request: pytest.FixtureRequest) -> Server:
    """Return each server without TLS in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


def section_of(server: Server, **more: Any) -> dict[str, Any]:
    """Return a section with a table that does not exist yet."""
    return {
        "type": "sql", "dialect": server.name, "host": server.host, "port": server.port,
        "username": server.username, "password": server.password, "db": server.db,
        "table": f"events_{uuid4().hex[:12]}", **more,
    }  # fmt: skip


def in_drivers_words(server: Server, file: Path | str) -> dict[str, Any]:
    """Return the driver's own options that verify with a file of authorities."""
    if isinstance(server, MariaDB):
        return {"query": {"ssl_ca": str(file)}}
    return {"query": {"sslmode": "verify-full", "sslrootcert": str(file)}}


def in_our_words(_server: Server, file: Path | str) -> dict[str, Any]:
    """Return our options that say the same."""
    return {"ssl_cafile": str(file)}


Words = Callable[[Server, Path | str], dict[str, Any]]
WORDS = pytest.mark.parametrize("words", [in_our_words, in_drivers_words])


def option(words: Words, server: Server, ours: str) -> str:
    """Return what an option of ours is called where it was written."""
    if words is in_our_words:
        return f"event_broker.{ours}"
    names = {
        "mariadb": {"ssl_cafile": "ssl_ca", "ssl_check_hostname": "ssl_check_hostname"},
        "postgresql": {"ssl_cafile": "sslrootcert", "ssl_check_hostname": "sslmode"},
    }
    return f"event_broker.query.{names[server.name][ours]}"


def refusal(section: dict[str, Any]) -> str:
    """Return the sentence with which both a connection and a check are refused."""
    options = endpoints.read(section).options
    with pytest.raises(ConfigurationError) as caught:
        connect(options, set())
    with pytest.raises(ConfigurationError) as again:
        check(options)
    assert str(caught.value) == str(again.value)
    return str(caught.value)


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    """Return an authority for certificates that are wrong in one way each, and its file."""
    made, file = trustme.CA(), tmp_path / "authority.pem"
    made.cert_pem.write_to_path(file)
    return made, file


@pytest.fixture
def present(
    server: Server, tmp_path: Path, certificates: Certificates, authority: tuple[trustme.CA, Path]
) -> Iterator[Callable[[trustme.LeafCert], None]]:
    """Return what lets the server present a wrong certificate, until the test is over."""
    trusting = endpoints.read(section_of(server, ssl_cafile=str(authority[1]))).options

    def is_presented() -> bool:
        with pytest.raises(ConfigurationError) as caught:
            connect(trusting, set())
        return "signed by an authority" not in str(caught.value)

    def change(leaf: trustme.LeafCert) -> None:
        certificate, key = tmp_path / "leaf.pem", tmp_path / "leaf_key.pem"
        certificate.write_bytes(chain(leaf))
        key.write_bytes(pkcs8(leaf))
        server.present(certificate, key)
        wait_until(is_presented)

    yield change
    server.present(certificates.server_certificate, certificates.server_key)


@WORDS
def test_events_go_over_verified_tls(
    server: Server, certificates: Certificates, words: Words
) -> None:
    """And check says so."""
    section = section_of(server, **words(server, certificates.ca))
    options = endpoints.read(section).options
    with closing(connect(options, set())) as connection:
        connection.publish([Event.from_dict({"number": 1})])
        with connection._database.session() as session:
            encrypted = session.exec_driver_sql(ENCRYPTED[server.name]).one()
    assert encrypted[-1]
    assert check(options)[0].startswith("connected over TLS to ")
    assert server.query(f"SELECT COUNT(*) FROM {section['table']}") == [(1,)]


@WORDS
def test_an_unknown_authority_is_said(
    server: Server, certificates: Certificates, words: Words
) -> None:
    """With the file in which it is not."""
    wanted = certificates.other_ca
    assert refusal(section_of(server, **words(server, wanted))) == (
        f"{option(words, server, 'ssl_cafile')}: the certificate of '127.0.0.1:{server.port}' is "
        f"signed by an authority that is not in '{wanted}'; give the file of that authority"
    )


@WORDS
def test_a_certificate_for_another_host_is_said(
    server: Server,
    authority: tuple[trustme.CA, Path],
    present: Callable[[trustme.LeafCert], None],
    words: Words,
) -> None:
    """Unless its name is not to be compared."""
    present(authority[0].issue_cert("db.example"))
    given = words(server, authority[1])
    assert refusal(section_of(server, **given)) == (
        f"{option(words, server, 'ssl_check_hostname')}: the certificate of "
        f"'127.0.0.1:{server.port}' is not for '127.0.0.1'; use a name it is for"
    )
    if words is in_our_words:
        relaxed = section_of(server, **given, ssl_check_hostname=False)
        connect(endpoints.read(relaxed).options, set()).close()


@WORDS
def test_an_expired_certificate_is_said(
    server: Server,
    authority: tuple[trustme.CA, Path],
    present: Callable[[trustme.LeafCert], None],
    words: Words,
) -> None:
    """And nothing else is blamed."""
    present(authority[0].issue_cert("127.0.0.1", not_before=NOW - 9 * DAY, not_after=NOW - DAY))
    given = section_of(server, **words(server, authority[1]))
    assert refusal(given) == (
        f"{option(words, server, 'ssl_cafile')}: the certificate of '127.0.0.1:{server.port}' "
        "has expired; renew it there"
    )


@WORDS
def test_a_missing_file_of_authorities_is_said(server: Server, words: Words) -> None:
    """With its path, and before anything is sent."""
    assert refusal(section_of(server, **words(server, "/nowhere/ca.pem"))) == (
        f"{option(words, server, 'ssl_cafile')}: '/nowhere/ca.pem' cannot be read: "
        "no such file or directory"
    )


@pytest.mark.xdist_group("postgresql")
def test_the_file_that_libpq_looks_for_by_itself_is_said(
    postgresql_over_tls: PostgreSQL, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where `verify-full` names none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    section = section_of(postgresql_over_tls, query={"sslmode": "verify-full"})
    assert refusal(section) == (
        f"event_broker.query.sslrootcert: '{tmp_path}/.postgresql/root.crt' cannot be read: "
        "no such file or directory"
    )


@pytest.mark.parametrize("asked", ["our file", "our word", "the driver's file", "the driver's"])
def test_a_server_without_tls_is_said(
    plain_server: Server, certificates: Certificates, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever option asks for TLS: nothing goes over plain text instead."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    is_postgresql = isinstance(plain_server, PostgreSQL)
    drivers = {"sslmode": "require"} if is_postgresql else {"ssl_check_hostname": "false"}
    drivers_option = "query.sslmode" if is_postgresql else "query.ssl_ca"
    named, given = {
        "our file": ("ssl_cafile", in_our_words(plain_server, certificates.ca)),
        "our word": ("require_tls", {"require_tls": True}),
        "the driver's file": (drivers_option, in_drivers_words(plain_server, certificates.ca)),
        "the driver's": (f"query.{next(iter(drivers))}", {"query": drivers}),
    }[asked]
    assert refusal(section_of(plain_server, **given)) == (
        f"event_broker.{named}: '127.0.0.1:{plain_server.port}' does not speak TLS; "
        "turn it on there, or take TLS out"
    )


def test_required_tls_verifies_with_the_systems_authorities(
    server: Server, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`require_tls: true` alone is TLS that verifies; without the authority it is refused."""
    sentence = refusal(section_of(server, require_tls=True))
    assert "is signed by an authority that is not in the system's" in sentence
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    options = endpoints.read(section_of(server, require_tls=True)).options
    assert check(options)[0].startswith("connected over TLS to ")


def test_the_core_halts_and_goes_on_once_it_is_put_right(
    server: Server, certificates: Certificates, tmp_path: Path
) -> None:
    """Nothing is lost meanwhile."""
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(certificates.other_ca.read_bytes())
    section = section_of(server, ssl_cafile=str(trusted))
    with event_brokers.connect(section) as broker:
        broker.publish({"number": 1})
        wait_until(lambda: broker.status().state == "halted")
        trusted.write_bytes(certificates.ca.read_bytes())
        assert broker.flush(60).pending == 0
    assert server.query(f"SELECT COUNT(*) FROM {section['table']}") == [(1,)]


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_clients_certificate_reaches_the_server(
    server: Server, certificates: Certificates, tmp_path: Path, encrypted: bool
) -> None:
    """With a key that is encrypted, and with one that is not."""
    make_certified_user(server)
    key = tmp_path / "key.pem"
    source = certificates.encrypted_client_key if encrypted else certificates.client_key
    key.touch(mode=0o600)
    key.write_bytes(source.read_bytes())
    given = {"ssl_password": certificates.client_key_password} if encrypted else {}
    section = section_of(
        server, username=server.certified_username, ssl_cafile=str(certificates.ca),
        ssl_certfile=str(certificates.client_certificate), ssl_keyfile=str(key), **given,
    )  # fmt: skip
    assert check(endpoints.read(section).options)[0].startswith("connected over TLS to ")


def make_certified_user(server: Server) -> None:
    """Let there be a user who must show a certificate."""
    if isinstance(server, PostgreSQL):
        server.query(
            f"DO $$ BEGIN CREATE ROLE {server.certified_username} LOGIN SUPERUSER "
            f"PASSWORD '{server.password}'; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )


@pytest.mark.xdist_group("postgresql")
def test_a_clients_certificate_that_is_missing_or_not_trusted_is_said(
    postgresql_over_tls: PostgreSQL, certificates: Certificates, tmp_path: Path
) -> None:
    """MariaDB says of both only that it denies access."""
    server = postgresql_over_tls
    make_certified_user(server)
    common = {"username": server.certified_username, "ssl_cafile": str(certificates.ca)}
    where = f"127.0.0.1:{server.port}"
    assert refusal(section_of(server, **common)) == (
        f"event_broker.ssl_certfile: missing; '{where}' asks for a client certificate"
    )
    stranger, file = trustme.CA().issue_cert("client@localhost"), tmp_path / "stranger.pem"
    file.touch(mode=0o600)
    file.write_bytes(pkcs8(stranger) + chain(stranger))
    assert refusal(section_of(server, **common, ssl_certfile=str(file))) == (
        f"event_broker.ssl_certfile: '{where}' refuses the client certificate in '{file}': "
        "unknown ca; have it signed by an authority that the server trusts"
    )


@pytest.mark.xdist_group("postgresql")
def test_a_key_that_others_may_read_is_said(
    postgresql_over_tls: PostgreSQL, certificates: Certificates, tmp_path: Path
) -> None:
    """PostgreSQL's client refuses it, in words of its own."""
    key = tmp_path / "key.pem"
    key.write_bytes(certificates.client_key.read_bytes())
    key.chmod(0o644)
    section = section_of(
        postgresql_over_tls, ssl_cafile=str(certificates.ca),
        ssl_certfile=str(certificates.client_certificate), ssl_keyfile=str(key),
    )  # fmt: skip
    assert refusal(section) == (
        f"event_broker.ssl_keyfile: others may read the key in '{key}', and PostgreSQL's client "
        "refuses it; chmod 600"
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"dialect": "postgresql", "require_tls": True, "query": {"sslmode": "prefer"}},
            "event_broker.query.sslmode: says how TLS is made, and so does 'require_tls'",
        ),
        (
            {"dialect": "mysql", "ssl_cafile": "ca.pem", "query": {"ssl_key": "x"}},
            "event_broker.query.ssl_key: says how TLS is made, and so does 'ssl_cafile'",
        ),
        ({"require_tls": True}, "event_broker.require_tls: has no effect, for SQLite is a file"),
        (
            {"dialect": "postgresql+pg8000", "ssl_cafile": "x"},
            "event_broker.ssl_cafile: nothing is known of TLS with 'postgresql+pg8000'",
        ),
    ],
)
def test_tls_that_cannot_be_is_refused(given: dict[str, Any], sentence: str) -> None:
    """Going on without it would be silent."""
    assert refusal({"type": "sql", **given}).startswith(sentence)


def test_a_pymysql_that_would_go_on_without_tls_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before 1.2 it asks for TLS and takes what it gets."""
    monkeypatch.setattr("pymysql.VERSION", (1, 1, 2, "final"))
    monkeypatch.setattr("pymysql.VERSION_STRING", "1.1.2")
    assert refusal({"type": "sql", "dialect": "mysql", "require_tls": True}) == (
        "event_broker.require_tls: PyMySQL 1.1.2 goes on without TLS where a server offers none; "
        'pip install "PyMySQL>=1.2"'
    )


@pytest.mark.xdist_group("postgresql")
def test_a_socket_of_this_machine_is_no_tls(
    postgresql_over_tls: PostgreSQL,
    certificates: Certificates,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """libpq ignores there what was asked for; without `require_tls` there is nothing to warn of."""
    section = section_of(postgresql_over_tls, host=str(postgresql_over_tls.folder))
    connect(endpoints.read(section).options, set()).close()
    assert caplog.messages == []
    required = section | {"require_tls": True, "ssl_cafile": str(certificates.ca)}
    assert refusal(required) == (
        f"event_broker.require_tls: the connection to '{postgresql_over_tls.folder}' would have "
        "no TLS; give a host in place of the socket"
    )


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a host that is not this machine by its name, and is so by its address."""
    monkeypatch.setattr(plugin_tls, "_warned_of", set())
    original = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        return original("127.0.0.1" if host == "db.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return "db.example"


def test_a_password_over_plain_text_is_warned_of(
    plain_server: Server, elsewhere: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for each address; not to this machine."""
    connect(endpoints.read(section_of(plain_server)).options, set()).close()
    assert caplog.messages == []
    section = section_of(plain_server, host=elsewhere)
    if isinstance(plain_server, PostgreSQL):
        section["query"] = {"hostaddr": "127.0.0.1"}  # libpq asks no resolver of Python's
    for _ in range(2):
        connect(endpoints.read(section).options, set()).close()
    (warning,) = caplog.messages
    assert warning == (
        f"sql: the password can be read on its way to '{elsewhere}:{plain_server.port}', for "
        "there is no TLS; give ssl_cafile, and require_tls: true, so that it is never sent without"
    )


def test_a_password_over_tls_is_not_warned_of(
    server: Server, elsewhere: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where nobody asked for TLS, and the driver takes what is offered."""
    section = section_of(server, host=elsewhere)
    if isinstance(server, PostgreSQL):
        section["query"] = {"hostaddr": "127.0.0.1"}
    connect(endpoints.read(section).options, set()).close()
    assert caplog.messages == []
