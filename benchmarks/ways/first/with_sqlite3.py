"""One event with sqlite3, committed."""

import json
import sqlite3
import sys

section, event = json.loads(sys.argv[1]), json.loads(sys.argv[2])
connection = sqlite3.connect(section["db"])
with connection:
    connection.execute(
        f"INSERT INTO {section['table']} (sender_id, data) VALUES (?, ?)",
        (event["sender_id"], json.dumps(event)),
    )
print("confirmed", flush=True)
connection.close()
