"""A private PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg

from .certificates import Certificates
from .ports import free_port
from .process import ServerProcess

DEBIAN_VERSIONS = Path("/usr/lib/postgresql")


class PostgreSQL(ServerProcess):
    """PostgreSQL with one database, whose superuser must give its password (SCRAM).

    Parameters:
        certificates: for TLS on the same port; without them there is none. With them, whoever
            signs in as `certified_username` must show a client's certificate.
    """

    name = "postgresql"
    username = "rasa"
    password = "rasa-secret"
    db = "events"
    certified_username = "certified"
    stop_signal = signal.SIGINT  # "fast shutdown": open connections are closed

    def __init__(self, certificates: Certificates | None = None) -> None:
        self.certificates = certificates
        self.port = free_port()
        super().__init__([self.port])

    @classmethod
    def missing(cls) -> str | None:
        if program("postgres") is None:
            return "postgresql is not installed; apt-get install postgresql"
        return None

    @property
    def url(self) -> str:
        """The address as libpq reads it, with user and password."""
        return f"postgresql://{self.username}:{self.password}@{self.host}:{self.port}/{self.db}"

    def connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Open a plain psycopg connection in autocommit mode."""
        return psycopg.connect(self.url, autocommit=True, connect_timeout=5)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement in a connection of its own and return its rows."""
        with self.connection() as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def _prepare(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if os.geteuid() == 0:
            for path in (self.folder, password_file):
                shutil.chown(path, "postgres", "postgres")
        self._run(
            *as_postgres("initdb"),
            f"--pgdata={self._data}",
            f"--username={self.username}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        )
        self._create_database()
        if self.certificates is not None:
            self._prepare_tls(self.certificates)

    def _prepare_tls(self, certificates: Certificates) -> None:
        shutil.copy(certificates.ca, self._data / "ca.pem")
        self._write_certificate(certificates.server_certificate, certificates.server_key)
        access = self._data / "pg_hba.conf"
        access.write_text(
            f"hostssl all {self.certified_username} all scram-sha-256 clientcert=verify-ca\n"
            f"hostnossl all {self.certified_username} all reject\n{access.read_text()}"
        )

    def present(self, certificate: Path, key: Path) -> None:
        """Present another certificate to whoever connects from now on."""
        self._write_certificate(certificate, key)
        self.query("SELECT pg_reload_conf()")

    def _write_certificate(self, certificate: Path, key: Path) -> None:
        for source, name in ((certificate, "server.pem"), (key, "server_key.pem")):
            target = self._data / name
            target.unlink(missing_ok=True)
            target.touch(mode=0o600)
            target.write_bytes(source.read_bytes())
            if os.geteuid() == 0:
                shutil.chown(target, "postgres", "postgres")

    def _create_database(self) -> None:
        subprocess.run(
            [*as_postgres("postgres"), "--single", "-D", str(self._data), "postgres"],
            input=f'CREATE DATABASE "{self.db}";\n',
            text=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=self.start_seconds,
        )

    def _command(self) -> list[str]:
        settings: dict[str, str | int] = {
            "listen_addresses": self.host,
            "port": self.port,
            "unix_socket_directories": "",
            # Files in the data folder: in /dev/shm they would outlive a SIGKILL.
            "dynamic_shared_memory_type": "mmap",
            "shared_buffers": "32MB",
        }
        if self.certificates is not None:
            settings |= {
                "unix_socket_directories": str(self.folder), "ssl": "on", "ssl_ca_file": "ca.pem",
                "ssl_cert_file": "server.pem", "ssl_key_file": "server_key.pem",
            }  # fmt: skip
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [*as_postgres("postgres"), "-D", str(self._data), *options]

    def _check(self) -> None:
        self.query("SELECT 1")
        self._let_shared_memory_end_with_its_processes()

    def _let_shared_memory_end_with_its_processes(self) -> None:
        # The last line but one of postmaster.pid (PostgreSQL's miscadmin.h) names the System V
        # segment, which would outlive a SIGKILL: once removed it lives as long as its users.
        segment = (self._data / "postmaster.pid").read_text().splitlines()[6].split()[1]
        subprocess.run(["ipcrm", "--shmem-id", segment], check=True, capture_output=True)

    @property
    def _data(self) -> Path:
        return self.folder / "data"


def program(name: str) -> Path | None:
    """Where PostgreSQL's program of this name is, the newest version first, or None."""
    if found := shutil.which(name):
        return Path(found)
    versions = sorted(
        (path for path in DEBIAN_VERSIONS.glob("*") if path.name.isdigit()),
        key=lambda path: int(path.name),
    )
    candidates = [version / "bin" / name for version in reversed(versions)]
    return next((path for path in candidates if path.exists()), None)


def as_postgres(name: str) -> list[str]:
    """The command that runs this program; PostgreSQL refuses root, so as the user postgres then."""
    command = [str(program(name))]
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
