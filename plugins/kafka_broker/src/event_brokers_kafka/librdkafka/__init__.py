"""The client librdkafka, by confluent-kafka: written in C, the fast one."""

from event_brokers_kafka.librdkafka.consumer import receive
from event_brokers_kafka.librdkafka.producer import start_producer

__all__ = ["receive", "start_producer"]
