"""From the section `delivery` to the queue that it asks for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from event_brokers.delivery_options import MAX_PENDING
from event_brokers.errors import ConfigurationError
from event_brokers.queues.memory import MemoryQueue
from event_brokers.queues.protocol import Queue
from event_brokers.settings import Settings

if TYPE_CHECKING:
    from event_brokers.queues.spool import Spool
    from event_brokers.queues.spool.view import View


def queue_maker(settings: Settings) -> Callable[[], Queue]:
    """Return what makes the queue: in memory, or on disk where a spool is named.

    Parameters:
        settings: of one EventBroker.

    Raises:
        ConfigurationError: this system has no file locks.
    """
    delivery = settings.delivery
    if delivery.spool is not None:
        return partial(spool_type(), *spool_arguments(settings, delivery.spool), settings.place())
    most = delivery.max_pending or MAX_PENDING
    return partial(MemoryQueue, most, delivery.max_bytes, delivery.max_dead_letter_bytes)


def spool_type() -> type[Spool]:
    """Return the class of queues on disk.

    Raises:
        ConfigurationError: this system has no file locks.
    """
    try:
        from event_brokers.queues.spool import Spool  # noqa: PLC0415 - SQLite is for who wants it
    except ImportError as error:
        raise ConfigurationError(
            "event_broker.delivery.spool: this system lacks the file locks of POSIX; leave it out"
        ) from error
    return Spool


def spool_view(folder: str) -> View | None:
    """Look at a spool from outside; return None where none was made yet.

    Raises:
        ConfigurationError: this system has no file locks.
        SpoolError: it cannot be read as it stands there.
    """
    spool_type()
    from event_brokers.queues.spool.view import view  # noqa: PLC0415 - as above

    return view(Path(folder))


def spool_arguments(settings: Settings, folder: str) -> tuple[Path, str, int | None, int, int]:
    """Return all that a spool is made of, but for whose it is.

    Parameters:
        settings: of one EventBroker.
        folder: `delivery.spool`.
    """
    delivery = settings.delivery
    # absolute: the program may change its folder before it forks
    return (
        Path(folder).absolute(),
        delivery.durability,
        delivery.max_pending,
        delivery.max_bytes,
        delivery.max_dead_letter_bytes,
    )
