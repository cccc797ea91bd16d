"""The client kafka-python: written in Python, and knows every login."""

from event_brokers_kafka.kafka_python.consumer import receive
from event_brokers_kafka.kafka_python.producer import start_producer

__all__ = ["receive", "start_producer"]
