"""Stores what waits, all of it in one transaction, and repairs what stands in the way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from event_brokers.errors import ConfigurationError, QueueFull, SpoolError
from event_brokers.log import logger
from event_brokers.queues.spool import room, salvage, tables
from event_brokers.queues.spool.ballast import Ballast
from event_brokers.queues.spool.database import BALLAST, Damaged, Database, DiskFull
from event_brokers.queues.spool.request import Inbox, Request
from event_brokers.wording import name_and_first_line

_SHRINK_BYTES = 16 * 1024 * 1024  # free room in the file that is worth giving back
_SHRINK_PAGES = 2048  # at a time: everybody waits meanwhile
_SHRINK_SHARE = 256  # of what is free, one byte in so many may be in use: it has to be moved

_Result = TypeVar("_Result")


class Departure(Request[_Result]):
    """A change that lets events leave: on a full disk it may use what is kept for it."""


class Store:
    """Serves all changes of a spool's file; lives on one thread.

    Parameters:
        database: the file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ballast = Ballast(database.folder / BALLAST)
        self._is_begun = False
        self._suspicion: Damaged | None = None
        self._free = 0  # bytes of the file, when an event last left

    def suspect(self, damage: Damaged) -> None:
        """Have the file repaired before the next change; called on any thread.

        Parameters:
            damage: what was found by who reads.
        """
        self._suspicion = damage

    def serve(self, inbox: Inbox) -> None:
        """Store all that waits, and answer."""
        with self._database.lock:
            self._begin()
            try:
                self._repaired(lambda: self._commit(inbox.claim))
            except DiskFull as full:
                self._carry_out_on_full_disk(inbox.claim(), full)
            except Exception as error:  # noqa: BLE001 - whatever it is, each caller is told
                self._carry_out_alone(inbox.claim(), error)
        inbox.answer()
        if self._free > _SHRINK_BYTES:
            self._give_room_back(inbox)

    def close(self) -> None:
        """Let go of all files; the next request opens them again."""
        self._ballast.close()
        self._database.close()

    def forget(self) -> None:
        """Let go, in a forked child, of what the fork has copied."""
        self._ballast.close()
        self._database.forget()

    def _begin(self) -> None:
        if not self._is_begun:
            self._repaired(partial(salvage.finish_interrupted, self._database))
            self._is_begun = True
        suspicion, self._suspicion = self._suspicion, None
        if suspicion is not None:
            salvage.replace(self._database, suspicion)

    def _commit(self, claim: Callable[[], list[Request[Any]]]) -> None:
        """Give each of the requests a result or an error, in one transaction.

        Parameters:
            claim: called once it has begun: until then a caller may withdraw.
        """
        with self._database.transaction() as connection:
            requests = claim()
            for request in self._admitted(requests):
                try:
                    request.carry_out(connection)
                except (QueueFull, ConfigurationError) as refusal:
                    request.error = refusal
                if isinstance(request, Departure):
                    self._free = room.free_bytes(connection)

    def _carry_out_on_full_disk(self, requests: list[Request[Any]], full: DiskFull) -> None:
        departures = _departures(requests)
        for request in requests:
            request.error = full
        try:
            # nobody else gets the room: storing needs the ballast, and waits for us
            if not departures or not self._ballast.drop():
                raise full
            self._commit(lambda: departures)
            self._database.checkpoint()
            self._shrink(0, 1, lambda: False)
            self._ballast.fill()
        except Exception as error:  # noqa: BLE001 - each caller is told
            for request in departures:
                request.error = error

    def _admitted(self, requests: list[Request[Any]]) -> list[Request[Any]]:
        """Return the requests that may be carried out: some must leave the ballast where it is."""
        departures = _departures(requests)
        if len(departures) == len(requests) or self._ballast.fill():
            return requests
        for request in requests:
            request.error = DiskFull(f"'{self._database.folder}': the disk is full")
        return departures

    def _carry_out_alone(self, requests: list[Request[Any]], error: Exception) -> None:
        """Find out whose request it is on which all of them fail."""
        for request in requests:
            request.error = error
            if len(requests) > 1:
                try:
                    self._commit(lambda: [request])  # noqa: B023 - called at once
                except Exception as alone:  # noqa: BLE001 - its caller is told
                    request.error = alone

    def _repaired(self, work: Callable[[], None]) -> None:
        """Do the work, once more after a salvage where the file is damaged."""
        try:
            work()
        except Damaged as damage:
            salvage.replace(self._database, damage)
        else:
            return
        try:
            work()
        except Damaged as damage:
            raise SpoolError(f"'{self._database.folder}': {damage}") from damage

    def _give_room_back(self, inbox: Inbox) -> None:
        try:
            with self._database.lock:
                self._shrink(_SHRINK_BYTES, _SHRINK_SHARE, inbox.is_awaited)
        except Exception as error:  # noqa: BLE001 - it is no failure of those who wait now
            reason = name_and_first_line(error)
            logger.warning("'%s': does not shrink: %s", self._database.folder, reason)

    def _shrink(self, above: int, share: int, is_awaited: Callable[[], bool]) -> None:
        """Give room back to the disk, where that is worth moving what is in use.

        Parameters:
            above: bytes of the file that are free at least.
            share: how many times what is in use is free at least, while events wait.
            is_awaited: looked at between two pieces; ends it.
        """
        while not is_awaited():
            with self._database.transaction() as connection:
                pending = tables.totals(connection).pending
                self._free = room.free_bytes(connection)
                used = room.used_bytes(connection)
            if self._free <= above or (pending and used * share > self._free):
                return
            self._database.cut_off(_SHRINK_PAGES)
            if not pending:
                self._database.checkpoint()


def _departures(requests: list[Request[Any]]) -> list[Request[Any]]:
    return [request for request in requests if isinstance(request, Departure)]
