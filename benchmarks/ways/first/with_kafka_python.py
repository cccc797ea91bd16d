"""One event with kafka-python's KafkaProducer, confirmed."""

import json
import sys
import warnings

# kafka-python reads its own metadata in a way that importlib has deprecated
warnings.simplefilter("ignore", DeprecationWarning)
from kafka import KafkaProducer  # noqa: E402 - behind the filter

section, event = json.loads(sys.argv[1]), json.loads(sys.argv[2])
producer = KafkaProducer(bootstrap_servers=section["url"])
key = event["sender_id"].encode()
producer.send(section["topic"], json.dumps(event).encode(), key).get(60)
print("confirmed", flush=True)
producer.close()
