"""One event with event-brokers, into whatever the section names."""

import json
import sys

import event_brokers

broker = event_brokers.connect(json.loads(sys.argv[1]))
broker.publish(json.loads(sys.argv[2]))
status = broker.flush(60)
print("confirmed" if status.delivered == 1 else status.last_error, flush=True)
broker.close()
