"""Opens the spool that endpoints.yml names, and never makes one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.errors import ConfigurationError
from event_brokers.look import NOTHING
from event_brokers.queues.choice import spool_arguments, spool_type
from event_brokers.queues.protocol import Counts
from event_brokers.settings import Settings

if TYPE_CHECKING:
    from event_brokers.queues.spool import Spool


@contextmanager
def open_spool(settings: Settings) -> Iterator[Spool]:
    """Hand out the spool, and close it.

    Parameters:
        settings: what endpoints.yml says.

    Raises:
        ConfigurationError: it names no spool, or one that cannot be used.
        CommandFailed: no program has published into it yet.
    """
    delivery = settings.delivery
    if delivery.spool is None:
        raise ConfigurationError(
            "event_broker.delivery.spool: events wait in memory; name a folder to keep them in"
        )
    if not _is_there(settings):
        raise CommandFailed(
            f"'{delivery.spool}': nothing was published into this spool yet", ExitCode.EX_NOINPUT
        )
    # nobody's: whoever looks neither takes it over nor asks whose it is
    spool = spool_type()(*spool_arguments(settings, delivery.spool), owner=None)
    try:
        yield spool
    finally:
        spool.close()


def counts(settings: Settings | None) -> Counts:
    """Return what the spool counts; nothing where there is none."""
    if settings is None or not _is_there(settings):
        return NOTHING
    with open_spool(settings) as spool:
        return spool.counts()


def _is_there(settings: Settings) -> bool:
    spool = settings.delivery.spool
    return spool is not None and Path(spool).exists()
