"""Opens the spool that endpoints.yml names, and never makes one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.errors import ConfigurationError
from event_brokers.look import NOTHING
from event_brokers.queues.choice import spool_of_others
from event_brokers.queues.protocol import Counts, NotMade
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
    try:
        with spool_of_others(settings, delivery.spool) as spool:
            yield spool
    except NotMade as error:
        raise CommandFailed(str(error), ExitCode.EX_NOINPUT) from error


def counts(settings: Settings | None) -> Counts:
    """Return what the spool counts; nothing where there is none."""
    if settings is None or settings.delivery.spool is None:
        return NOTHING
    try:
        with spool_of_others(settings, settings.delivery.spool) as spool:
            return spool.counts()
    except NotMade:
        return NOTHING
