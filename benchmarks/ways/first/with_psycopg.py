"""One event with psycopg, committed."""

import json
import sys

import psycopg

section, event = json.loads(sys.argv[1]), json.loads(sys.argv[2])
with psycopg.connect(
    host=section["host"], port=section["port"], dbname=section["db"],
    user=section["username"], password=section["password"],
) as connection:  # fmt: skip
    connection.execute(
        f"INSERT INTO {section['table']} (sender_id, data) VALUES (%s, %s)".encode(),
        (event["sender_id"], json.dumps(event)),
    )
    connection.commit()
    print("confirmed", flush=True)
