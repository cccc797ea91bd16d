"""The Kafka plugin of event-brokers: every event, confirmed, in an Apache Kafka topic."""

from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.producer import KafkaProducer

__all__ = ["KafkaOptions", "KafkaProducer"]
