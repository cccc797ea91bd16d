"""Read events from Kafka with kafka-python alone: python examples/consume_kafka.py --help."""

from __future__ import annotations

import argparse
import json
from typing import Any

from kafka import KafkaConsumer
from kafka.structs import OffsetAndMetadata, TopicPartition


def main() -> None:
    """Print every event of the topic, and commit it when it was printed."""
    given = _arguments()
    consumer = KafkaConsumer(
        given.topic,
        bootstrap_servers=given.url,
        group_id=given.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **_security(given),
    )
    for record in consumer:
        event = json.loads(record.value)
        print(record.partition, record.offset, json.dumps(event), flush=True)
        done = OffsetAndMetadata(record.offset + 1, "", -1)
        consumer.commit({TopicPartition(record.topic, record.partition): done})


def _security(given: argparse.Namespace) -> dict[str, Any]:
    user = {
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": given.username,
        "sasl_plain_password": given.password,
    }
    certificates = {
        "ssl_cafile": given.cafile,
        "ssl_certfile": given.certfile,
        "ssl_keyfile": given.keyfile,
    }
    if given.username and given.cafile:
        return {"security_protocol": "SASL_SSL", **user, **certificates}
    if given.username:
        return {"security_protocol": "SASL_PLAINTEXT", **user}
    if given.cafile:
        return {"security_protocol": "SSL", **certificates}
    return {}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="localhost:9092", help="host:port of a broker")
    parser.add_argument("--topic", default="rasa_core_events")
    parser.add_argument("--group", default="example")
    parser.add_argument("--username", help="logs in with SASL")
    parser.add_argument("--password")
    parser.add_argument("--cafile", help="speaks TLS, and trusts this authority")
    parser.add_argument("--certfile", help="of the client, where the broker wants one")
    parser.add_argument("--keyfile")
    return parser.parse_args()


if __name__ == "__main__":
    main()
