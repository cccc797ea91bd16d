"""Private real servers for the tests: one module per server, one seam (`process.ServerProcess`)."""

from .certificates import Certificates
from .kafka import Kafka
from .kafka_with_tokens import KafkaWithTokens
from .mariadb import MariaDB
from .ports import free_port
from .postgresql import PostgreSQL
from .process import MissingServer, ServerFailed, ServerProcess
from .rabbitmq import RabbitMQ
from .token_server import TokenServer

__all__ = [
    "Certificates",
    "Kafka",
    "KafkaWithTokens",
    "MariaDB",
    "MissingServer",
    "PostgreSQL",
    "RabbitMQ",
    "ServerFailed",
    "ServerProcess",
    "TokenServer",
    "free_port",
]
