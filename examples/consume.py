"""Read events from the broker that endpoints.yml names, whichever it is, in five lines."""

import event_brokers

with event_brokers.consume("endpoints.yml", from_start=True) as consumer:
    for received in consumer:
        print(received.id, received.event or received.problem, flush=True)
