"""Index events in Elasticsearch or OpenSearch: consume_into_elasticsearch.py --help.

An event is acknowledged when its consumer asks for the next one, and by then it is in the index, or
in the file of those that the index refuses. It may come twice: its id is the document's, so it is
one document. A consumer has one event in hand; several of one group fill a bulk together.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import datetime, timezone
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import event_brokers
from event_brokers import ReceivedEvent

LONGEST_WAIT = 30.0  # seconds between two attempts
AGAIN = (408, 429, 500, 502, 503, 504)  # too busy, or restarting: of a request and of an item

InHand = tuple[ReceivedEvent, "Future[None]"]


def main() -> None:
    """Index what there is and what comes, until the program is ended."""
    given = _arguments()
    in_hand: SimpleQueue[InHand] = SimpleQueue()
    failed: Future[None] = Future()
    for _ in range(given.consumers):
        arguments = (given, in_hand, failed)
        threading.Thread(target=_consume, args=arguments, daemon=True).start()
    while not failed.done():
        bulk = list(_next_bulk(in_hand))
        if bulk:
            _index(bulk, given)
    sys.exit(str(failed.exception()))


def _consume(given: argparse.Namespace, in_hand: SimpleQueue[InHand], failed: Future[None]) -> None:
    """Hand each event over, and ask for the next one when this one is in the index."""
    try:
        with event_brokers.consume(given.endpoints, given.group, from_start=True) as consumer:
            for received in consumer:
                is_in: Future[None] = Future()
                in_hand.put((received, is_in))
                is_in.result()
    except event_brokers.ConfigurationError as error:
        if failed.set_running_or_notify_cancel():
            failed.set_exception(error)


def _next_bulk(in_hand: SimpleQueue[InHand]) -> Iterator[InHand]:
    """Yield what the consumers have in hand; nothing where no event has come for a second."""
    timeout = 1.0
    while True:
        try:
            yield in_hand.get(timeout=timeout)
        except Empty:
            return
        timeout = 0.005  # for what comes at the same time


def _index(bulk: list[InHand], given: argparse.Namespace) -> None:
    """Send a bulk, and those of its events again for which there is no room yet."""
    attempts = 0
    while bulk:
        results = _send([received for received, _ in bulk], given)
        left = []
        for (received, is_in), (status, reason) in zip(bulk, results, strict=True):
            if status in AGAIN:
                left.append((received, is_in))
                continue
            if not 200 <= status < 300:
                _set_aside(received, reason, given.refused)
            is_in.set_result(None)
        bulk = left
        if bulk:
            attempts += 1
            time.sleep(min(LONGEST_WAIT, 0.1 * 2**attempts))


def _send(events: list[ReceivedEvent], given: argparse.Namespace) -> list[tuple[int, str]]:
    """Return what became of each event: the status of its item, and why it is refused."""
    lines = (line for received in events for line in _lines(received, given.index))
    headers = {"Content-Type": "application/x-ndjson"}
    if "ELASTIC_API_KEY" in os.environ:
        headers["Authorization"] = f"ApiKey {os.environ['ELASTIC_API_KEY']}"
    try:
        status, body = _post("".join(lines).encode(), headers, given)
    except (OSError, http.client.HTTPException) as error:
        print(f"{given.url}: {type(error).__name__}; again", file=sys.stderr)
        return [(503, "")] * len(events)
    if status in AGAIN:
        return [(status, "")] * len(events)
    if status != 200:
        sys.exit(f"{given.url} answers {status}: check the url, the index and ELASTIC_API_KEY")
    items = [item["index"] for item in json.loads(body)["items"]]
    return [(item["status"], item.get("error", {}).get("type", "")) for item in items]


def _post(body: bytes, headers: dict[str, str], given: argparse.Namespace) -> tuple[int, bytes]:
    url = urlsplit(given.url)
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=given.cafile)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            url.netloc, timeout=60, context=context
        )
    else:
        connection = http.client.HTTPConnection(url.netloc, timeout=60)
    try:
        connection.request("POST", f"{url.path.rstrip('/')}/_bulk", body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _lines(received: ReceivedEvent, index: str) -> Iterator[str]:
    """Yield the two lines of a bulk that index one event."""
    # who has published without an id has published no two equal events
    document_id = received.id or hashlib.sha256(received.body).hexdigest()
    yield json.dumps({"index": {"_index": index, "_id": document_id}}) + "\n"
    yield json.dumps(_document(received)) + "\n"


def _document(received: ReceivedEvent) -> dict[str, Any]:
    # what is no JSON object was put there by somebody else: it is kept as text
    event = received.event
    if event is None:
        return {"body": received.body.decode(errors="replace"), "problem": received.problem}
    timestamp = event.get("timestamp")
    if not isinstance(timestamp, (int, float)):
        return event
    return {**event, "@timestamp": datetime.fromtimestamp(timestamp, timezone.utc).isoformat()}


def _set_aside(received: ReceivedEvent, reason: str, path: str) -> None:
    """Keep an event that the index never takes, on disk before it is acknowledged."""
    line = {"id": received.id, "reason": reason, "body": received.body.decode(errors="replace")}
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())
    print(f"{received.id}: refused, {reason}; kept in {path}", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://localhost:9200")
    parser.add_argument("--index", default="rasa-events")
    parser.add_argument("--endpoints", default="endpoints.yml", help="the broker to read from")
    parser.add_argument("--group", default="event-brokers", help="of consumers")
    parser.add_argument("--consumers", type=int, default=8, help="events in a bulk at most")
    parser.add_argument("--refused", default="refused.jsonl", help="file of refused events")
    parser.add_argument("--cafile", help="of the authority to trust, where the url is https")
    return parser.parse_args()


if __name__ == "__main__":
    main()
