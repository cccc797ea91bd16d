"""The RabbitMQ broker of event-brokers."""

from event_brokers_pika.options import PikaOptions
from event_brokers_pika.producer import PikaProducer

__all__ = ["PikaOptions", "PikaProducer"]
