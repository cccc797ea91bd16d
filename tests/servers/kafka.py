"""A private Kafka node (KRaft: broker and controller in one process)."""

from __future__ import annotations

import base64
import os
import shutil
import uuid
import warnings
from pathlib import Path
from xml.etree import ElementTree

from .certificates import Certificates
from .ports import free_port
from .process import ServerProcess

with warnings.catch_warnings():
    # kafka-python 3.0 reads its schemas in a way that Python 3.11 and 3.12 call deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import KafkaAdminClient

POM = Path(__file__).with_name("kafka-pom.xml")
LIBRARIES_VARIABLE = "EVENT_BROKERS_KAFKA_LIBS"
SCRAM_MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")
LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1} %m%n
"""


class Kafka(ServerProcess):
    """Kafka with one listener for each of its four security protocols.

    `username` logs in with SASL mechanism PLAIN, `scram_username` with SCRAM-SHA-256 and
    SCRAM-SHA-512. The SSL listener requires a client certificate, the SASL_SSL listener none. One
    more PLAINTEXT listener, `port_behind_proxy`, is advertised as `proxy_port`, where nobody
    listens but the proxy that a test puts there.
    With `automatic_topics` off, only topics that somebody created exist.
    """

    name = "kafka"
    username = "alice"
    password = "secret"
    scram_username = "bob"
    scram_password = "bob-secret"

    def __init__(
        self, certificates: Certificates | None = None, *, automatic_topics: bool = True
    ) -> None:
        self.plaintext_port = free_port()
        self.sasl_plaintext_port = free_port()
        self.ssl_port = free_port()
        self.sasl_ssl_port = free_port()
        self.port_behind_proxy = free_port()
        self.proxy_port = free_port()
        self._controller_port = free_port()
        self.automatic_topics = automatic_topics
        self._certificates = certificates
        super().__init__([*self._listeners().values(), self.port_behind_proxy])

    @classmethod
    def missing(cls) -> str | None:
        if shutil.which("java") is None:
            return "java is not installed; apt-get install default-jre-headless"
        if not any(libraries().glob("kafka_*.jar")):
            return f"no Kafka jars in {libraries()}; run scripts/install-test-servers"
        return None

    @property
    def certificates(self) -> Certificates:
        """Those of the SSL and SASL_SSL listeners."""
        if self._certificates is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._certificates

    def bootstrap(self, security_protocol: str = "PLAINTEXT") -> str:
        """The address for clients, `host:port`, of the listener for this security protocol."""
        name = "localhost" if security_protocol.endswith("SSL") else self.host
        return f"{name}:{self._listeners()[security_protocol]}"

    def _listeners(self) -> dict[str, int]:
        return {
            "PLAINTEXT": self.plaintext_port,
            "SASL_PLAINTEXT": self.sasl_plaintext_port,
            "SSL": self.ssl_port,
            "SASL_SSL": self.sasl_ssl_port,
        }

    def _prepare(self) -> None:
        if self._certificates is None:
            self._certificates = Certificates(self.folder)
        (self.folder / "log4j2.properties").write_text(LOGGING)
        (self.folder / "server.properties").write_text(
            "".join(f"{name}={value}\n" for name, value in self._properties().items())
        )
        users = [
            f"--add-scram={mechanism}=[name={self.scram_username},password={self.scram_password}]"
            for mechanism in SCRAM_MECHANISMS
        ]
        self._run(
            *self._java("kafka.tools.StorageTool"),
            "format",
            f"--cluster-id={base64.urlsafe_b64encode(b'test' + uuid.uuid4().bytes[4:]).decode()}",
            f"--config={self.folder / 'server.properties'}",
            *users,
        )

    def _properties(self) -> dict[str, str]:
        ports = {
            **self._listeners(),
            "PROXIED": self.port_behind_proxy,
            "CONTROLLER": self._controller_port,
        }
        listeners = [f"{name}://{self.host}:{port}" for name, port in ports.items()]
        advertised = [
            *(f"{protocol}://{self.bootstrap(protocol)}" for protocol in self._listeners()),
            f"PROXIED://{self.host}:{self.proxy_port}",
        ]
        mechanisms = ("PLAIN", *SCRAM_MECHANISMS)
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{self.host}:{self._controller_port}",
            "listeners": ",".join(listeners),
            "advertised.listeners": ",".join(advertised),
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ",".join(
                ["CONTROLLER:PLAINTEXT", "PROXIED:PLAINTEXT"]
                + [f"{name}:{name}" for name in self._listeners()]
            ),
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": ",".join(mechanisms),
            **self._login_modules("sasl_plaintext"),
            **self._login_modules("sasl_ssl"),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.certificates.server_key_and_certificate),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.certificates.ca),
            "listener.name.ssl.ssl.client.auth": "required",
            "auto.create.topics.enable": str(self.automatic_topics).lower(),
            "log.dirs": str(self.folder / "data"),
            "num.partitions": "1",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # After a SIGKILL the controller refuses the broker until its old session is over.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
        }

    def _login_modules(self, listener: str) -> dict[str, str]:
        package = "org.apache.kafka.common.security"
        modules = {
            "plain": f'{package}.plain.PlainLoginModule required user_{self.username}="'
            f'{self.password}";'
        }
        for mechanism in SCRAM_MECHANISMS:
            modules[mechanism.lower()] = f"{package}.scram.ScramLoginModule required;"
        return {
            f"listener.name.{listener}.{mechanism}.sasl.jaas.config": module
            for mechanism, module in modules.items()
        }

    def _command(self) -> list[str]:
        return [*self._java("kafka.Kafka"), str(self.folder / "server.properties")]

    def _java(self, main_class: str) -> list[str]:
        return [
            "java",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",  # starts sooner; a test run is too short for more
            "-XX:-UsePerfData",  # its files in /tmp would outlive a SIGKILL
            f"-Djava.io.tmpdir={self.folder}",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            "-cp",
            f"{libraries()}/*",
            main_class,
        ]

    def _check(self) -> None:
        client = KafkaAdminClient(bootstrap_servers=self.bootstrap(), bootstrap_timeout_ms=5_000)
        try:
            client.list_topics()
        finally:
            client.close()


def libraries() -> Path:
    """The folder of Kafka's jars, filled by scripts/install-test-servers."""
    if configured := os.environ.get(LIBRARIES_VARIABLE):
        return Path(configured)
    version = ElementTree.parse(POM).findtext(".//{*}kafka.version")
    return Path.home() / ".cache" / "event-brokers" / f"kafka-{version}" / "libs"
