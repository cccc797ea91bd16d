"""A blocking conversation with one broker, in which every failure can be told from the others.

kafka-python's own connections work in the background and keep trying: why they fail is only in
their log. Before its producer is made, this asks the broker the same questions, in the words of
kafka-python's protocol classes, on a socket whose errors we see.
"""

from __future__ import annotations

import socket
import ssl
import time
from types import TracebackType
from typing import Any

from kafka.errors import IncompatibleBrokerVersion, KafkaProtocolError
from kafka.protocol.broker_version_data import BrokerVersionData
from kafka.protocol.metadata import ApiVersionsRequest
from kafka.protocol.parser import KafkaProtocol

from event_brokers import BrokerUnavailable, ConfigurationError
from event_brokers.plugin.network import Address, connection_problem
from event_brokers.plugin.tls import handshake_problem
from event_brokers_kafka.options import KafkaOptions

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 5.0
_READ_BYTES = 65536
_TLS_ALERT = b"\x15\x03"  # content type and major version of a record: RFC 8446, 5.1
_UNSUPPORTED_VERSION = 35


class ConnectionClosed(Exception):
    """The broker closed the connection without a word."""


class Session:
    """A connection over which one question at a time is asked.

    Parameters:
        address: the broker's.
        options: client_id, and what to say when TLS fails.
        context: for TLS; None speaks in plain text.

    Raises:
        ConfigurationError: TLS failed for a reason that a person must remove.
        BrokerUnavailable: nobody listens there, or nobody answers.
        ConnectionClosed: the broker closed the connection during the TLS handshake.
    """

    def __init__(
        self, address: Address, options: KafkaOptions, context: ssl.SSLContext | None
    ) -> None:
        self.address = address
        self._options = options
        self._protocol = KafkaProtocol(client_id=options.client_id)
        self._versions: Any = None
        self._socket = _connect(address)
        if context is not None:
            self._start_tls(context)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def learn_versions(self) -> None:
        """Ask which requests the broker understands; has to be the first question."""
        version = ApiVersionsRequest.max_version
        while True:
            answer = self._exchange(_api_versions_request(version))
            if answer.error_code != _UNSUPPORTED_VERSION or not version:
                break
            known = {api.api_key: api.max_version for api in answer.api_keys}
            version = min(known.get(ApiVersionsRequest.API_KEY, 0), version - 1)
        self._versions = BrokerVersionData(
            api_versions={
                api.api_key: (api.min_version, api.max_version) for api in answer.api_keys
            }
        )

    def ask(self, request: Any) -> Any:
        """Return the broker's answer to a request of `kafka.protocol`.

        Raises:
            ConfigurationError: the broker is too old, or is no Kafka broker.
            BrokerUnavailable: no answer within ANSWER_SECONDS.
            ConnectionClosed: the broker closed the connection instead.
        """
        try:
            request.API_VERSION = self._versions.api_version(request)
        except IncompatibleBrokerVersion as error:
            raise ConfigurationError(
                f"event_broker.url: '{self.address}' is older than Kafka 2.3; update it"
            ) from error
        return self._exchange(request)

    def _exchange(self, request: Any) -> Any:
        self._protocol.send_request(request)
        deadline = time.monotonic() + ANSWER_SECONDS
        self._send(self._protocol.send_bytes(), deadline)
        answers: list[Any] = []
        while not answers:
            answers = self._receive(deadline)
        return answers[0][1]

    def _start_tls(self, context: ssl.SSLContext) -> None:
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname=self.address.host)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise self._translate_error(error) from error
            raise

    def _send(self, data: bytes, deadline: float) -> None:
        try:
            self._set_timeout(deadline)
            self._socket.sendall(data)
        except ConnectionError:
            return  # the broker may have said why: the next read tells
        except OSError as error:
            raise self._translate_error(error) from error

    def _receive(self, deadline: float) -> list[Any]:
        try:
            self._set_timeout(deadline)
            data = self._socket.recv(_READ_BYTES)
        except OSError as error:
            raise self._translate_error(error) from error
        if not data:
            raise ConnectionClosed
        if data.startswith(_TLS_ALERT):
            raise ConfigurationError(
                f"event_broker.security_protocol: '{self.address}' speaks TLS; give "
                f"{'SASL_SSL' if self._options.uses_sasl else 'SSL'}"
            )
        try:
            return list(self._protocol.receive_bytes(data))
        except KafkaProtocolError as error:
            raise ConfigurationError(
                f"event_broker.url: '{self.address}' is no Kafka broker; check host and port"
            ) from error

    def _set_timeout(self, deadline: float) -> None:
        # nought would make the socket non-blocking
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))

    def _translate_error(self, error: OSError) -> Exception:
        if isinstance(error, (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return ConnectionClosed()
        problem = handshake_problem(error, str(self.address), self._options)
        if problem is not None:
            return ConfigurationError(problem)
        return _unavailable(error, self.address)


def _connect(address: Address) -> socket.socket:
    try:
        return socket.create_connection((address.host, address.port), CONNECT_SECONDS)
    except (OSError, UnicodeError) as error:
        raise _unavailable(error, address) from error


def _unavailable(error: OSError | UnicodeError, address: Address) -> BrokerUnavailable:
    return BrokerUnavailable(connection_problem(error, address) or type(error).__name__)


def _api_versions_request(version: int) -> ApiVersionsRequest:
    return ApiVersionsRequest(
        version=version, client_software_name="event-brokers-kafka", client_software_version="0.1"
    )
