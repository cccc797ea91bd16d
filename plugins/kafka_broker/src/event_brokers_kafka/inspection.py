"""What `event-brokers check` says; looks, and changes nothing."""

from __future__ import annotations

from contextlib import closing

from event_brokers_kafka.access import Access
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.sign_in import sign_in_to_any
from event_brokers_kafka.topic import Topic, find

_RASAS_CLIENT_ID = "rdkafka"  # what librdkafka is called where nothing is given


def inspect(options: KafkaOptions) -> list[str]:
    """Return where we got in and whether the topic is there, a sentence each.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: no broker can be reached.
    """
    with closing(Access(options)) as access, sign_in_to_any(options, access) as session:
        topic = find(session, options.topic)
        return [
            f"connected to {session.address} {describe_login(options)}",
            describe_topic(topic),
            describe_destination(options),
        ]


def describe_destination(options: KafkaOptions) -> str:
    """Return where events go, and what is not Rasa's default (rasa/core/brokers/kafka.py)."""
    key = "key = sender_id (no key is Rasa's default)"
    if not options.partition_by_sender:
        key = "no key"
    client = f"client_id = {options.client_id}"
    if options.client_id != _RASAS_CLIENT_ID:
        client += f" ({_RASAS_CLIENT_ID} is Rasa's default)"
    return f"events go to topic '{options.topic}', {key}, {client}"


def describe_login(options: KafkaOptions) -> str:
    """Return as who we speak to the broker, and how."""
    user = "without a login"
    if options.uses_sasl:
        user = f"as {options.user} by" if options.user else "by"
        user += f" {options.sasl_mechanism}"
    if not options.uses_tls:
        return f"{user}, no TLS"
    check = "with" if options.ssl_check_hostname else "without"
    certificate = ", client certificate given" if options.ssl_certfile else ""
    return f"{user}, TLS {check} hostname check{certificate}"


def describe_topic(topic: Topic) -> str:
    """Return whether the topic is there, or will be made."""
    if topic.is_missing:
        return (
            f"topic '{topic.name}' is missing; it is made at the first connect, "
            "if the broker makes topics by itself (auto.create.topics.enable)"
        )
    if not topic.is_ready:
        return f"topic '{topic.name}' found, but no partition has a leader now"
    noun = "partition" if topic.partitions == 1 else "partitions"
    return f"topic '{topic.name}' found, {topic.partitions} {noun}"
