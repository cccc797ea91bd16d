"""A private RabbitMQ node."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pika

from .certificates import Certificates
from .ports import free_port
from .process import ServerProcess

# Debian's programs on PATH are wrappers that switch to the user "rabbitmq"; these are not.
DEBIAN_PROGRAMS = Path("/usr/lib/rabbitmq/bin")


class RabbitMQ(ServerProcess):
    """RabbitMQ with an AMQP port, an AMQPS port and the users `username` and guest."""

    name = "rabbitmq"
    username = "rasa"
    password = "rasa-secret"
    virtual_host = "/"

    def __init__(self, certificates: Certificates | None = None) -> None:
        self.port = free_port()
        self.tls_port = free_port()
        self._distribution_port = free_port()
        self._epmd_port = free_port()
        self._certificates = certificates
        super().__init__([self.port, self.tls_port])

    @classmethod
    def missing(cls) -> str | None:
        if program("rabbitmq-server") is None:
            return "rabbitmq-server is not installed; apt-get install rabbitmq-server"
        return None

    @property
    def url(self) -> str:
        """The AMQP address with user and password."""
        return f"amqp://{self.username}:{self.password}@{self.host}:{self.port}/"

    @property
    def tls_url(self) -> str:
        """The AMQPS address with user and password."""
        return f"amqps://{self.username}:{self.password}@{self.host}:{self.tls_port}/"

    @property
    def certificates(self) -> Certificates:
        """Those of the TLS listener, which accepts clients with and without a certificate."""
        if self._certificates is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._certificates

    def connection(self) -> pika.BlockingConnection:
        """Open a plain pika connection as `username`."""
        return pika.BlockingConnection(pika.URLParameters(self.url))

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl on this node and return its output.

        Raises subprocess.CalledProcessError when rabbitmqctl fails.
        """
        completed = subprocess.run(
            [str(program("rabbitmqctl")), "--quiet", *arguments],
            # A node that is down must not make rabbitmqctl start a stray epmd.
            env={**os.environ, **self._environment(), "ERL_FLAGS": "-start_epmd false"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
            timeout=60,
        )
        return completed.stdout

    def kill(self) -> None:
        """End it as kill -9 does, once the queues that it has confirmed are on disk.

        RabbitMQ 3.10.8 confirms some declarations that stay in memory until a later one: at 3 of 73
        kills it knew nothing of the newest queue any more.
        """
        if self.running and not self.paused:
            self._write_declarations()
        super().kill()

    def _write_declarations(self) -> None:
        with self.connection() as connection:
            channel = connection.channel()
            for number in range(3):  # each writes what those before it have left in memory
                channel.exchange_declare(f"written-{number}", durable=True)
                channel.exchange_delete(f"written-{number}")

    def _prepare(self) -> None:
        if self._certificates is None:
            self._certificates = Certificates(self.folder)
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text("PRIVATETESTNODE")
        cookie.chmod(0o400)
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "rabbitmq-env.conf").touch()
        # By default 512 MB are written for each of two logs of quorum queues: seconds of start.
        (self.folder / "advanced.config").write_text("[{ra, [{wal_max_size_bytes, 4194304}]}].\n")
        (self.folder / "definitions.json").write_text(json.dumps(self._definitions()))
        (self.folder / "rabbitmq.conf").write_text(self._configuration())

    def _configuration(self) -> str:
        files = self.certificates
        return f"""\
listeners.tcp.1 = {self.host}:{self.port}
listeners.ssl.1 = {self.host}:{self.tls_port}
ssl_options.cacertfile = {files.ca}
ssl_options.certfile = {files.server_certificate}
ssl_options.keyfile = {files.server_key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
loopback_users = none
disk_free_limit.absolute = 50MB
load_definitions = {self.folder / "definitions.json"}
log.file = false
log.console = true
log.console.level = info
"""

    def _definitions(self) -> dict[str, list[dict[str, object]]]:
        users = {"guest": "guest", self.username: self.password}
        return {
            "vhosts": [{"name": self.virtual_host}],
            "users": [
                {"name": name, "password": password, "tags": "administrator"}
                for name, password in users.items()
            ],
            "permissions": [
                {
                    "user": name,
                    "vhost": self.virtual_host,
                    "configure": ".*",
                    "write": ".*",
                    "read": ".*",
                }
                for name in users
            ],
        }

    def _environment(self) -> Mapping[str, str]:
        folder = str(self.folder)
        return {
            "HOME": folder,
            "ERL_CRASH_DUMP": f"{folder}/erl_crash.dump",
            "ERL_EPMD_ADDRESS": self.host,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/rabbitmq-env.conf",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
        }

    def _command(self) -> list[str]:
        return [str(program("rabbitmq-server"))]

    def _check(self) -> None:
        self.connection().close()
        context = ssl.create_default_context(cafile=str(self.certificates.ca))
        parameters = pika.URLParameters(self.tls_url)
        parameters.ssl_options = pika.SSLOptions(context, "localhost")
        pika.BlockingConnection(parameters).close()


def program(name: str) -> Path | None:
    """Where RabbitMQ's own start script of this name is, or None."""
    if (script := DEBIAN_PROGRAMS / name).exists():
        return script
    found = shutil.which(name)
    return Path(found) if found else None
