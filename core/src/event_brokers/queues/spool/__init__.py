"""The queue on disk: what waits outlives the process, and any number of processes share it."""

from event_brokers.queues.spool.queue import Spool

__all__ = ["Spool"]
