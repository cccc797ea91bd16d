"""Private real servers for the tests: one module per server, one seam (`process.ServerProcess`)."""

from .certificates import Certificates
from .kafka import Kafka
from .mariadb import MariaDB
from .nats import Nats
from .ports import free_port
from .postgresql import PostgreSQL
from .process import MissingServer, ServerFailed, ServerProcess
from .rabbitmq import RabbitMQ
from .redis import Redis

__all__ = [
    "Certificates",
    "Kafka",
    "MariaDB",
    "MissingServer",
    "Nats",
    "PostgreSQL",
    "RabbitMQ",
    "Redis",
    "ServerFailed",
    "ServerProcess",
    "free_port",
]
