"""Private real servers for the tests: one module per server, one seam (`process.ServerProcess`)."""

from .certificates import Certificates
from .ports import free_port
from .process import MissingServer, ServerFailed, ServerProcess
from .rabbitmq import RabbitMQ

__all__ = [
    "Certificates",
    "MissingServer",
    "RabbitMQ",
    "ServerFailed",
    "ServerProcess",
    "free_port",
]
