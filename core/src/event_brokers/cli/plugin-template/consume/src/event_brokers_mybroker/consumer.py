"""Yields what arrives; being asked for the next event acknowledges the one before."""

from __future__ import annotations

from collections.abc import Iterator

from event_brokers import ReceivedEvent

from event_brokers_mybroker.connection import Connection


def read(
    connection: Connection, group: str | None, from_start: bool
) -> Iterator[ReceivedEvent | None]:
    """Yield what arrives, for ever, and None where nothing has arrived for a while."""
    client, queue = connection.client, connection.options.queue
    client.ask(do="subscribe", queue=queue, group=group, from_start=from_start)
    while True:
        # the server takes this as the acknowledgement of what it has given before
        found = client.ask(do="next")["event"]
        if found is None:
            yield None
            continue
        origin = f"queue '{queue}', position {found['position']}"
        body = found["body"].encode("utf-8", "surrogateescape")
        yield ReceivedEvent.from_body(body, origin, found["id"], found["headers"])
