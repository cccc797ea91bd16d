"""One event with pika's BlockingConnection, confirmed."""

import json
import sys

import pika

section = json.loads(sys.argv[1])
credentials = pika.PlainCredentials(section["username"], section["password"])
connection = pika.BlockingConnection(
    pika.ConnectionParameters(section["url"], section["port"], credentials=credentials)
)
channel = connection.channel()
channel.confirm_delivery()
body = json.dumps(json.loads(sys.argv[2])).encode()
persistent = pika.BasicProperties(delivery_mode=2)
channel.basic_publish("", section["queue"], body, persistent, mandatory=True)
print("confirmed", flush=True)
connection.close()
