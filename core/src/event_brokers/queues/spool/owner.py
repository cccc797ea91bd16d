"""Whose a spool is: of two configurations with one spool, only one gets its events delivered."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from event_brokers.errors import ConfigurationError
from event_brokers.log import logger
from event_brokers.queues.spool import tables
from event_brokers.queues.spool.file_lock import FileLock

_OPTION = "event_broker.delivery.spool"


class Ownership:
    """What one configuration has to do with a spool.

    Parameters:
        folder: of the spool.
        owner: where the configuration's events go, a phrase; None looks after nothing.
        right: the file of the lock that who delivers holds.
    """

    def __init__(self, folder: Path, owner: str | None, right: Path) -> None:
        self._folder = folder
        self._owner = owner
        self._right = right

    def claim(self, connection: sqlite3.Connection) -> None:
        """Take the spool over, where nobody delivers what is somebody else's.

        Parameters:
            connection: in a transaction.

        Raises:
            ConfigurationError: somebody does.
        """
        stored = tables.owner(connection)
        if self._owner is None or stored == self._owner:
            return
        if stored is not None:
            self._take_over(connection, stored)
        tables.set_owner(connection, self._owner)

    def check(self, connection: sqlite3.Connection) -> None:
        """Look whether it still belongs to this configuration, once it has the right to deliver.

        Parameters:
            connection: in a transaction, so that nobody takes the spool over meanwhile.

        Raises:
            ConfigurationError: it belongs to another one.
        """
        stored = tables.owner(connection)
        if self._owner is None or stored == self._owner:
            return
        if stored is not None:
            raise ConfigurationError(
                f"{_OPTION}: '{self._folder}' was taken over by {stored}, and what it holds is "
                f"no longer for {self._owner}; name another folder"
            )
        tables.set_owner(connection, self._owner)

    def _take_over(self, connection: sqlite3.Connection, stored: str) -> None:
        right = FileLock(self._right)
        try:
            if not right.try_acquire():
                raise ConfigurationError(
                    f"{_OPTION}: what '{self._folder}' holds is being delivered to {stored}, and "
                    f"cannot go to {self._owner} as well; name another folder"
                )
            tables.forget_places(connection)
            logger.warning(
                "'%s': was filled for %s; what waits there goes to %s now",
                self._folder, stored, self._owner,
            )  # fmt: skip
        finally:
            right.release()
            right.close()
