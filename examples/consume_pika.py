"""Read events from RabbitMQ with pika alone: python examples/consume_pika.py --help."""

from __future__ import annotations

import argparse
import json
import ssl
from typing import Any

import pika


def main() -> None:
    """Print every event of the queue, and acknowledge it when it was printed."""
    given = _arguments()
    connection = pika.BlockingConnection(
        pika.ConnectionParameters(
            host=given.host,
            port=given.port,
            credentials=pika.PlainCredentials(given.username, given.password),
            ssl_options=_tls(given),
        )
    )
    channel = connection.channel()
    channel.queue_declare(given.queue, durable=True)
    channel.basic_qos(prefetch_count=100)
    channel.basic_consume(given.queue, on_message_callback=_print)
    channel.start_consuming()


def _print(channel: Any, method: Any, properties: Any, body: bytes) -> None:
    event = json.loads(body)
    print(properties.message_id, json.dumps(event), flush=True)
    channel.basic_ack(method.delivery_tag)


def _tls(given: argparse.Namespace) -> pika.SSLOptions | None:
    if given.cafile is None:
        return None
    context = ssl.create_default_context(cafile=given.cafile)
    if given.certfile:
        context.load_cert_chain(given.certfile, given.keyfile)
    return pika.SSLOptions(context, given.host)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=5672)
    parser.add_argument("--username", default="guest")
    parser.add_argument("--password", default="guest")
    parser.add_argument("--queue", default="rasa_core_events")
    parser.add_argument("--cafile", help="speaks TLS, and trusts this authority")
    parser.add_argument("--certfile", help="of the client, where the server wants one")
    parser.add_argument("--keyfile")
    return parser.parse_args()


if __name__ == "__main__":
    main()
