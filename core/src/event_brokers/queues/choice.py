"""From the section `delivery` to the queue that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from event_brokers import fork
from event_brokers.delivery_options import MAX_PENDING
from event_brokers.errors import ConfigurationError
from event_brokers.queues.memory import MemoryQueue
from event_brokers.queues.protocol import NotMade, Queue
from event_brokers.settings import Settings

if TYPE_CHECKING:
    from event_brokers.queues.spool import Spool
    from event_brokers.queues.spool.view import ReadOnlySpool, View


def queue_maker(settings: Settings) -> Callable[[], Queue]:
    """Return what makes the queue: in memory, or on disk where a spool is named.

    Parameters:
        settings: of one EventBroker.

    Raises:
        ConfigurationError: this system has no file locks.
    """
    delivery = settings.delivery
    if delivery.spool is not None:
        return partial(spool_type(), *_spool_arguments(settings, delivery.spool), settings.place())
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


def read_only_spool(folder: str) -> ReadOnlySpool:
    """Return what reads a spool from outside.

    Raises:
        ConfigurationError: this system has no file locks.
    """
    spool_type()
    from event_brokers.queues.spool.view import ReadOnlySpool  # noqa: PLC0415 - as above

    return ReadOnlySpool(Path(folder))


@contextmanager
def spool_of_others(settings: Settings, folder: str) -> Iterator[Spool]:
    """Hand out a spool to change what is in it, whoever delivers that, and close it.

    Parameters:
        settings: of one EventBroker.
        folder: `delivery.spool`.

    Raises:
        NotMade: nothing was published into it yet.
        ConfigurationError: it cannot be used.
    """
    if not Path(folder).exists():
        raise NotMade(folder)
    with fork.held_off():
        # nobody's: whoever looks neither takes it over nor asks whose it is
        spool = spool_type()(*_spool_arguments(settings, folder), owner=None)
        fork.watch(spool)  # what is done with it may take longer than a fork waits
    try:
        yield spool
    finally:
        spool.close()


def _spool_arguments(settings: Settings, folder: str) -> tuple[Path, str, int | None, int, int]:
    """Return all that a spool is made of, but for whose it is."""
    delivery = settings.delivery
    # absolute: the program may change its folder before it forks
    return (
        Path(folder).absolute(),
        delivery.durability,
        delivery.max_pending,
        delivery.max_bytes,
        delivery.max_dead_letter_bytes,
    )
