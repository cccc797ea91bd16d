"""A private MariaDB server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymysql

from .certificates import Certificates
from .ports import free_port
from .process import ServerProcess


class MariaDB(ServerProcess):
    """MariaDB with one database and the user `username`, who has every right.

    Parameters:
        certificates: for TLS on the same port; without them there is none. With them, whoever
            signs in as `certified_username` must show a client's certificate.
    """

    name = "mariadb"
    username = "rasa"
    password = "rasa-secret"
    db = "events"
    certified_username = "certified"

    def __init__(self, certificates: Certificates | None = None) -> None:
        self.certificates = certificates
        self.port = free_port()
        super().__init__([self.port])

    @classmethod
    def missing(cls) -> str | None:
        if program("mariadbd") is None or program("mariadb-install-db") is None:
            return "mariadb-server is not installed; apt-get install mariadb-server"
        return None

    @property
    def url(self) -> str:
        """The address as SQLAlchemy reads it for pymysql, with user and password."""
        address = f"{self.username}:{self.password}@{self.host}:{self.port}"
        return f"mysql+pymysql://{address}/{self.db}?charset=utf8mb4"

    def connection(self) -> pymysql.Connection[pymysql.cursors.Cursor]:
        """Open a plain pymysql connection in autocommit mode."""
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.username,
            password=self.password,
            database=self.db,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=5,
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement in a connection of its own and return its rows."""
        connection = self.connection()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def _prepare(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "mysql", "mysql")
        if self.certificates is not None:
            shutil.copy(self.certificates.ca, self.folder / "ca.pem")
            self._write_certificate(
                self.certificates.server_certificate, self.certificates.server_key
            )
        statements = self.folder / "users.sql"
        statements.write_text(self._statements())
        statements.chmod(0o644)
        self._run(
            str(program("mariadb-install-db")),
            "--no-defaults",
            f"--datadir={self._data}",
            f"--tmpdir={self.folder}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
            *user_option(),
        )

    def present(self, certificate: Path, key: Path) -> None:
        """Present another certificate to whoever connects from now on."""
        self._write_certificate(certificate, key)
        self.query("FLUSH SSL")

    def _write_certificate(self, certificate: Path, key: Path) -> None:
        for source, name in ((certificate, "server.pem"), (key, "server_key.pem")):
            target = self.folder / name
            target.unlink(missing_ok=True)
            target.touch(mode=0o600)
            target.write_bytes(source.read_bytes())
            if os.geteuid() == 0:
                shutil.chown(target, "mysql", "mysql")

    def _statements(self) -> str:
        user, certified = f"'{self.username}'@'%'", f"'{self.certified_username}'@'%'"
        return f"""\
CREATE USER IF NOT EXISTS {certified} IDENTIFIED BY '{self.password}' REQUIRE X509;
GRANT ALL ON *.* TO {certified};
CREATE DATABASE IF NOT EXISTS {self.db} CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{self.password}';
GRANT ALL ON *.* TO {user} WITH GRANT OPTION;
"""

    def _command(self) -> list[str]:
        return [
            str(program("mariadbd")),
            "--no-defaults",
            f"--datadir={self._data}",
            # a server that starts removes what it finds of others in a folder that they share
            f"--tmpdir={self.folder}",
            f"--init-file={self.folder / 'users.sql'}",
            f"--bind-address={self.host}",
            f"--port={self.port}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            # Without names a client from 127.0.0.1 is not the anonymous user at "localhost".
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=64M",
            *self._tls(),
            *user_option(),
        ]

    def _tls(self) -> list[str]:
        if self.certificates is None:
            return ["--skip-ssl"]
        names = {"ca": "ca.pem", "cert": "server.pem", "key": "server_key.pem"}
        return [f"--ssl-{option}={self.folder / name}" for option, name in names.items()]

    def _check(self) -> None:
        self.query("SELECT 1")

    @property
    def _data(self) -> Path:
        return self.folder / "data"


def program(name: str) -> Path | None:
    """Where MariaDB's program of this name is, or None; /usr/sbin is not on every PATH."""
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")
    return Path(found) if found else None


def user_option() -> Sequence[str]:
    """MariaDB refuses to run as root without being told a user to become."""
    return ["--user=mysql"] if os.geteuid() == 0 else []
