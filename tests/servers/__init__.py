"""Private real servers for the tests: one module per server, one seam (`process.ServerProcess`)."""

from .certificates import Certificates
from .http_server import HttpServer
from .kafka import Kafka
from .kafka_with_tokens import KafkaWithTokens
from .mariadb import MariaDB
from .nats import Nats
from .ports import free_port
from .postgresql import PostgreSQL
from .process import MissingServer, ServerFailed, ServerProcess
from .rabbitmq import RabbitMQ
from .redis import Redis
from .token_server import TokenServer

__all__ = [
    "Certificates",
    "HttpServer",
    "Kafka",
    "KafkaWithTokens",
    "MariaDB",
    "MissingServer",
    "Nats",
    "PostgreSQL",
    "RabbitMQ",
    "Redis",
    "ServerFailed",
    "ServerProcess",
    "TokenServer",
    "free_port",
]
