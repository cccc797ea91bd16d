"""Whether RabbitMQ refuses events where they go to, and so how many may be under way at once."""

from __future__ import annotations

from event_brokers_pika.options import PikaOptions
from event_brokers_pika.server import find_server
from event_brokers_pika.turns import LineOf, all_at_once, one_by_one, one_of_each_conversation

# a full queue from which somebody reads hardly takes so many in a row
_PROOF_EVENTS = 50
# RabbitMQ, "Queue Length Limit": overflow behaviour; where a policy sets it, no client is told
_OVERFLOW, _REFUSING = "x-overflow", ("reject-publish", "reject-publish-dlx")

# for good: a queue that is full now and then has room most of the time
_refused: set[tuple[str, ...]] = set()


class Refusals:
    """What a connection knows of the place that its events go to.

    RabbitMQ may refuse an event and take the next one a moment later. Where that may happen, an
    event must not be sent before the one before it in its conversation was taken. Nothing says
    beforehand whether it may: so each connection begins with one event at a time, and whatever
    was refused once is not trusted again by this process.

    Parameters:
        options: the options of `type: pika`.
    """

    def __init__(self, options: PikaOptions) -> None:
        server = find_server(options)
        key = "" if options.exchange else options.queue_names[0]
        self._place = (str(server.address), server.virtual_host, options.exchange, key)
        self._is_declared = options.arguments_of_made_queues.get(_OVERFLOW) in _REFUSING
        self._taken = 0

    @property
    def are_expected(self) -> bool:
        """Whether the options say that events are refused there, or some were."""
        return self._is_declared or self._place in _refused

    @property
    def are_unlikely(self) -> bool:
        """Whether all was taken, and that was enough to trust in the rest."""
        return self._taken >= _PROOF_EVENTS and not self.are_expected

    @property
    def line_of(self) -> LineOf:
        """The lines in which events wait for each other now."""
        if self.are_expected:
            return one_of_each_conversation
        return all_at_once if self.are_unlikely else one_by_one

    def note_taken(self, count: int) -> None:
        """Note that so many events were taken."""
        self._taken += count

    def note_refused(self) -> None:
        """Note that an event was refused."""
        _refused.add(self._place)
