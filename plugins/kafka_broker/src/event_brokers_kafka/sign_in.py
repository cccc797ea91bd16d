"""From the options to a session with a broker that lets us in, or to the reason why none does."""

from __future__ import annotations

from typing import Any, NoReturn

from kafka.errors import KafkaError
from kafka.protocol.metadata import MetadataRequest
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

from event_brokers import BrokerUnavailable, ConfigurationError
from event_brokers.plugin.network import Address
from event_brokers.plugin.tls import warn_of_plain_password
from event_brokers_kafka.access import Access
from event_brokers_kafka.kafka_internals import get_sasl_mechanism
from event_brokers_kafka.log_redaction import redact_logs
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.session import ConnectionClosed, Session

_UNSUPPORTED_MECHANISM = 33
_NO_SASL_HERE = 34  # ILLEGAL_SASL_STATE: the listener does not log anybody in
# what a mechanism sends as it is
_READABLE = {"PLAIN": "the password", "OAUTHBEARER": "the token"}


def sign_in_to_any(options: KafkaOptions, access: Access) -> Session:
    """Return a session with the first broker of `url` that can be reached.

    Parameters:
        options: the brokers, and who we are.
        access: how we come in.

    Raises:
        ConfigurationError: a broker does not let us in; says what a person must change.
        BrokerUnavailable: none can be reached; says of each why.
    """
    redact_logs()  # nothing is said to a broker before
    problems = []
    for address in options.addresses:
        try:
            return sign_in(address, options, access)
        except BrokerUnavailable as error:
            problems.append(error)
    raise BrokerUnavailable("; ".join(map(str, problems))) from problems[-1]


def sign_in(address: Address, options: KafkaOptions, access: Access) -> Session:
    """Return a session with one broker that lets us in.

    Parameters:
        address: the broker's.
        options: who we are.
        access: how we come in.

    Raises:
        ConfigurationError: the broker does not let us in; says what a person must change.
        BrokerUnavailable: it cannot be reached.
    """
    try:
        session = Session(address, options, access.context)
    except ConnectionClosed as closed:
        _explain_no_tls(address, options, closed)
    try:
        session.learn_versions()
        if options.uses_sasl:
            _log_in(session, options, access)
        # a broker that wants a login closes the connection at the first real question
        session.ask(MetadataRequest(topics=[]))
    except BaseException as error:
        session.close()
        if isinstance(error, ConnectionClosed):
            _explain_closed(address, options, access, error)
        raise
    return session


def _log_in(session: Session, options: KafkaOptions, access: Access) -> None:
    answer = session.ask(SaslHandshakeRequest(mechanism=options.sasl_mechanism, min_version=1))
    if answer.error_code == _NO_SASL_HERE:
        plain = "SSL" if options.uses_tls else "PLAINTEXT"
        raise ConfigurationError(
            f"event_broker.security_protocol: '{session.address}' logs nobody in; "
            f"give {plain} and take {options.login_options} out"
        )
    if answer.error_code == _UNSUPPORTED_MECHANISM:
        raise ConfigurationError(
            f"event_broker.sasl_mechanism: '{session.address}' does not take "
            f"{options.sasl_mechanism}; it takes {', '.join(answer.mechanisms)}"
        )
    if options.sasl_mechanism in _READABLE and not options.uses_tls:
        what, way_out = _READABLE[options.sasl_mechanism], "give security_protocol SASL_SSL"
        warn_of_plain_password("kafka", session.address, way_out, what)
    _prove(session, options, access)


def _prove(session: Session, options: KafkaOptions, access: Access) -> None:
    mechanism = _start_proof(session, options, access)
    while not mechanism.is_done():
        answer = session.ask(SaslAuthenticateRequest(mechanism.auth_bytes()))
        if answer.error_code:
            raise ConfigurationError(_refusal(session.address, options))
        try:
            mechanism.receive(answer.auth_bytes)
        except (ValueError, KeyError):
            # what was raised quotes the exchange, from which a password could be guessed
            raise ConfigurationError(
                f"event_broker.url: '{session.address}' does not prove that it knows the "
                f"password of '{options.sasl_username}'; is it the right broker?"
            ) from None


def _start_proof(session: Session, options: KafkaOptions, access: Access) -> Any:
    """Return kafka-python's mechanism, which Kerberos asks its own server for a ticket."""
    make = get_sasl_mechanism(options.sasl_mechanism)
    try:
        return make(host=session.address.host, security_protocol=options.protocol, **access.login)
    except KafkaError:
        raise
    except Exception as error:
        if options.sasl_mechanism != "GSSAPI":
            raise
        raise ConfigurationError(
            f"event_broker.sasl_mechanism: GSSAPI has no ticket for '{session.address.host}' "
            f"({type(error).__name__}); run kinit, and check sasl_kerberos_service_name"
        ) from error


def _refusal(address: Address, options: KafkaOptions) -> str:
    """Return what a person must change where the broker refuses the proof."""
    if options.sasl_mechanism == "OAUTHBEARER":
        return (
            f"event_broker.oauth_token_url: '{address}' refuses the token that it gives to "
            f"'{options.user}'; check what the broker expects of a token, and oauth_scope"
        )
    if options.sasl_mechanism == "AWS_MSK_IAM":
        return (
            f"event_broker.sasl_mechanism: '{address}' refuses the AWS credentials by "
            "AWS_MSK_IAM; allow them kafka-cluster:Connect, and check AWS_DEFAULT_REGION"
        )
    if options.sasl_mechanism == "GSSAPI":
        return (
            f"event_broker.sasl_kerberos_service_name: '{address}' refuses the ticket for "
            "this service; give the name in the broker's principal"
        )
    return (
        f"event_broker.sasl_password: '{address}' refuses the user '{options.user}' by "
        f"{options.sasl_mechanism}; check sasl_username and sasl_password"
    )


def _explain_no_tls(address: Address, options: KafkaOptions, closed: ConnectionClosed) -> NoReturn:
    if _listens_in_plain_text(address, options):
        plain = "SASL_PLAINTEXT" if options.uses_sasl else "PLAINTEXT"
        raise ConfigurationError(
            f"event_broker.security_protocol: '{address}' does not speak TLS; "
            f"give the port of its TLS listener, or {plain} for no TLS"
        ) from closed
    raise BrokerUnavailable(f"{address} closed the connection") from closed


def _explain_closed(
    address: Address,
    options: KafkaOptions,
    access: Access,
    closed: ConnectionClosed,
) -> NoReturn:
    if not options.uses_sasl and _wants_login(address, options, access):
        raise ConfigurationError(
            f"event_broker.security_protocol: '{address}' wants a login; give "
            f"{'SASL_SSL' if options.uses_tls else 'SASL_PLAINTEXT'}, sasl_username "
            "and sasl_password"
        ) from closed
    raise BrokerUnavailable(f"{address} closed the connection") from closed


def _listens_in_plain_text(address: Address, options: KafkaOptions) -> bool:
    """Return whether the broker answers without TLS; says nothing to it but our client_id."""
    try:
        with Session(address, options, None) as session:
            session.learn_versions()
    except (ConnectionClosed, ConfigurationError, BrokerUnavailable):
        return False
    return True


def _wants_login(address: Address, options: KafkaOptions, access: Access) -> bool:
    """Return whether the broker is ready to log somebody in; logs nobody in."""
    try:
        with Session(address, options, access.context) as session:
            session.learn_versions()
            answer = session.ask(SaslHandshakeRequest(mechanism="PLAIN", max_version=1))
    except (ConnectionClosed, ConfigurationError, BrokerUnavailable):
        return False
    return bool(answer.error_code != _NO_SASL_HERE)
