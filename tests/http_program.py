"""The program of the private HTTP server: keeps what arrives in a file for each path.

It runs as `python http_program.py FOLDER PORT TLS_PORT CERTIFICATE`. In FOLDER `behaviour.json`
says how requests are answered, and may be changed at any time.
"""

from __future__ import annotations

import base64
import gzip
import json
import socket
import ssl
import sys
import threading
from dataclasses import replace
from pathlib import Path

from http_endpoint import Answer, Arrival, HttpEndpoint, status


class Ledger:
    """Writes down what arrives before it is answered, for each path in a file of its own.

    Parameters:
        folder: of the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._behaviour = folder / "behaviour.json"
        self._keys: dict[Path, set[str]] = {}
        self._lock = threading.Lock()

    def answer(self, connection: socket.socket, arrival: Arrival) -> bool:
        """Answer a request, and keep it where that is a success."""
        if arrival.headers.get("content-encoding") == "gzip":
            arrival = replace(arrival, body=gzip.decompress(arrival.body))
        with self._lock:
            found = self._judge(arrival)
        return found(connection, arrival)

    def _judge(self, arrival: Arrival) -> Answer:
        behaviour = json.loads(self._behaviour.read_text(encoding="utf-8"))
        login = base64.b64encode(behaviour["login"].encode()).decode()
        if arrival.headers.get("authorization") != f"Basic {login}":
            return status(401)
        if not arrival.body:
            return status(204)
        if len(arrival.body) > behaviour["most_bytes"]:
            return status(413)
        if behaviour["status"]:
            return status(behaviour["status"], **behaviour["headers"])
        self._keep(arrival)
        return status(204)

    def _keep(self, arrival: Arrival) -> None:
        path, _, query = arrival.target.partition("?")
        file = self._folder / f"{path.rpartition('/')[2]}.jsonl"
        line = json.dumps({"headers": arrival.headers, "body": arrival.body.decode()})
        keys = self._keys_in(file)
        key = arrival.headers["idempotency-key"]
        if query == "once" and key in keys:
            return
        with file.open("a", encoding="utf-8") as kept:
            kept.write(line + "\n")
        keys.add(key)

    def _keys_in(self, file: Path) -> set[str]:
        """Return the keys of what is kept in a file, also by the process before this one."""
        if file not in self._keys:
            # a part of a line is what a process wrote that was killed, and has answered nothing
            lines = file.read_text(encoding="utf-8").split("\n") if file.exists() else [""]
            file.write_text("".join(f"{line}\n" for line in lines[:-1]), encoding="utf-8")
            kept = (json.loads(line)["headers"] for line in lines[:-1])
            self._keys[file] = {headers["idempotency-key"] for headers in kept}
        return self._keys[file]


def main() -> None:
    """Serve until the process is ended."""
    folder, port, tls_port, certificate = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    ledger = Ledger(Path(folder))
    for endpoint in (HttpEndpoint(None, int(port)), HttpEndpoint(context, int(tls_port))):
        endpoint.answer = endpoint.to_probes = ledger.answer
        endpoint.start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
