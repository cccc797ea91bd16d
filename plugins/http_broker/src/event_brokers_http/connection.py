"""The live connection: events in order, one request after the other, each answered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Event,
    PartlyPublished,
    RejectedEvents,
)
from event_brokers.plugin.opening import closed_on_failure
from event_brokers_http.client import Client
from event_brokers_http.failures import probe_problem, refusal
from event_brokers_http.options import HTTPOptions
from event_brokers_http.request import login_headers, request_of

PUBLISH_SECONDS = 15.0  # after which no further request begins: a call is to return within 30


class Connection:
    """A server that has answered a request which changes nothing.

    Parameters:
        options: where to, and as who.

    Raises:
        ConfigurationError: a person must change something: login, TLS.
        BrokerUnavailable: the server cannot be reached now, or asks for time.
    """

    def __init__(self, options: HTTPOptions) -> None:
        self._options = options
        with closed_on_failure(Client(options)) as self._client:
            probe(self._client, options)

    def publish(self, events: Sequence[Event]) -> None:
        """Send the events, and wait for the answer to every request.

        A batch that is refused is halved until the events are found that are refused alone.

        Parameters:
            events: in the order in which they are to arrive.

        Raises:
            RejectedEvents: some are refused.
            ConfigurationError: a person must change something.
            BrokerUnavailable: the server is away, or asks for time.
            PartlyPublished: there was no time for the last ones.
        """
        until = time.monotonic() + PUBLISH_SECONDS
        waiting = deque(_parts(events, self._options.events_in_a_request))
        confirmed: list[str] = []
        refused: dict[str, str] = {}
        while waiting and not ((confirmed or refused) and time.monotonic() >= until):
            part = waiting.popleft()
            reason = self._send(part, confirmed)
            if reason is None:
                confirmed += [event.id for event in part]
            elif len(part) == 1:
                refused[part[0].id] = reason
            else:
                half = len(part) // 2
                waiting.extendleft([part[half:], part[:half]])
        if refused:
            raise RejectedEvents(refused, confirmed=confirmed)
        if waiting:
            raise PartlyPublished(
                f"{len(confirmed)} of {len(events)} events took {PUBLISH_SECONDS:.0f} s", confirmed
            )

    def close(self) -> None:
        """Close the socket; closing again does nothing."""
        self._client.close()

    def _send(self, events: Sequence[Event], confirmed: Sequence[str]) -> str | None:
        """Send one request; return why its events are refused, None where they are taken.

        Parameters:
            events: that it carries.
            confirmed: ids of those before them, for what is raised.
        """
        request = request_of(events, self._options)
        try:
            answer = self._client.ask(self._options.method, request.headers, request.body)
            found = refusal(answer.status, answer.retry_after, self._options)
            if isinstance(found, Exception):
                raise found
        except (BrokerUnavailable, ConfigurationError) as error:
            error.confirmed = frozenset(confirmed)
            raise
        return found


def probe(client: Client, options: HTTPOptions) -> int:
    """Ask the server by a request that changes nothing, and return the status of its answer.

    Parameters:
        client: of the server.
        options: of the plugin.

    Raises:
        ConfigurationError: a person must change something: login, TLS.
        BrokerUnavailable: the server cannot be reached now, or asks for time.
    """
    answer = client.ask(options.probe, login_headers(options))
    problem = probe_problem(answer.status, answer.retry_after, options)
    if problem is not None:
        raise problem
    return answer.status


def _parts(events: Sequence[Event], size: int) -> list[Sequence[Event]]:
    return [events[first : first + size] for first in range(0, len(events), size)]
