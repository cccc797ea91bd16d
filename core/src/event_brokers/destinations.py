"""Every destination of events that this process can see: its open brokers, and spools of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from event_brokers.engine import ENGINES, Engine
from event_brokers.errors import ConfigurationError, SpoolError
from event_brokers.event import Event
from event_brokers.living import numbered
from event_brokers.look import Look, folder_of, look_from_outside
from event_brokers.queues.choice import read_only_spool, spool_of_others, spool_type
from event_brokers.queues.protocol import DeadLetter, NotMade, Queue
from event_brokers.settings import Settings

if TYPE_CHECKING:
    from event_brokers.queues.spool import Spool
    from event_brokers.queues.spool.view import ReadOnlySpool


class Destination(msgspec.Struct, frozen=True):
    """Where the events of one section go, as it was seen at one moment.

    What is on disk is read and changed there, whoever delivers it. Asking may take as long as the
    disk does.

    Attributes:
        look: what was seen.
        settings: what the section says.
        engine: of the broker that is open in this process; None where another process has it.
        problem: why a spool cannot be read from outside, a sentence; None where it can.
    """

    look: Look
    settings: Settings
    engine: Engine | None = None
    problem: str | None = None

    @contextmanager
    def dead_letters(self) -> Iterator[Iterable[DeadLetter]]:
        """Hand out the dead letters that are kept, oldest first.

        Raises:
            SpoolError: the spool cannot be read; also while they are read.
        """
        if self.look.spool is None:
            with self._own() as queue:
                yield queue.dead_letters()
        elif self.engine is not None:
            with self._changed() as spool, spool.contents() as (_, letters):
                yield letters
        else:
            yield self._others_dead_letters()

    def latest(self, limit: int) -> list[Event]:
        """Return the last of the pending events, the latest first.

        Parameters:
            limit: how many at most.

        Raises:
            SpoolError: the spool cannot be read.
        """
        try:
            with self._read() as queue:
                return queue.latest(limit)
        except NotMade:
            return []

    def find(self, event_id: str) -> Event | DeadLetter | None:
        """Return a pending event or a dead letter; None where neither is kept under this id.

        Raises:
            SpoolError: the spool cannot be read, or was not made yet.
        """
        with self._read() as queue:
            return queue.find(event_id)

    def accept(self, event: Event) -> None:
        """Accept an event, which whoever delivers the others will deliver.

        Raises:
            QueueFull: there is no room for it.
            SpoolError: the spool cannot be written, or was not made yet.
            BrokerClosed: the broker is closed by now.
        """
        if self.engine is not None:
            self.engine.append([event], 0.0)
            return
        with self._changed() as spool:
            spool.append([event], 0.0)

    def retry(self, ids: Sequence[str]) -> int:
        """Put dead letters back, behind the events that wait; return how many there were.

        Raises:
            ConfigurationError: they are in memory.
            SpoolError: the spool cannot be written.
        """
        with self._changed() as spool:
            return spool.retry(ids)

    def drop(self, ids: Sequence[str]) -> int:
        """Forget dead letters for good; return how many there were.

        Raises:
            ConfigurationError: they are in memory.
            SpoolError: the spool cannot be written.
        """
        with self._changed() as spool:
            return spool.drop_dead_letters(ids)

    @contextmanager
    def _own(self) -> Iterator[Queue]:
        if self.engine is None:
            raise ConfigurationError(
                "event_broker.delivery.spool: events wait in the memory of another process; name a "
                "folder to keep them in"
            )
        with self.engine.queue() as queue:
            yield queue

    @contextmanager
    def _read(self) -> Iterator[Queue | ReadOnlySpool]:
        if self.engine is None and self.look.spool is not None:
            yield read_only_spool(self.look.spool)
            return
        with self._own() as queue:
            yield queue

    def _others_dead_letters(self) -> Iterator[DeadLetter]:
        with suppress(NotMade):
            yield from read_only_spool(self.look.spool or "").dead_letters()

    @contextmanager
    def _changed(self) -> Iterator[Spool]:
        if self.look.spool is None:
            raise ConfigurationError(
                "event_broker.delivery.spool: dead letters in memory can only be looked at; name a "
                "folder to keep them in"
            )
        if self.engine is None:
            with spool_of_others(self.settings, self.look.spool) as spool:
                yield spool
            return
        with self._own() as queue:
            assert isinstance(queue, spool_type()), "has a folder"
            yield queue


def destinations(spools: Iterable[Settings] = ()) -> Iterator[Destination]:
    """Look at every broker that is open in the process, and at spools whoever delivers them.

    Parameters:
        spools: sections that name a spool.
    """
    own = [
        Destination(look, engine.settings, engine)
        for engine in ENGINES.all()
        if (look := engine.look()) is not None
    ]
    yield from own
    known, names = {each.look.spool for each in own}, {each.look.name for each in own}
    for settings in spools:
        if folder_of(settings) not in known:
            found = _seen_from_outside(settings)
            name = next(name for name in numbered(found.look.name) if name not in names)
            names.add(name)
            look = msgspec.structs.replace(found.look, name=name)
            yield msgspec.structs.replace(found, look=look)


def _seen_from_outside(settings: Settings) -> Destination:
    try:
        return Destination(look_from_outside(settings), settings)
    except (ConfigurationError, SpoolError) as error:
        type_name = settings.plugin.type
        unread = Look(type_name, type_name, folder_of(settings), None)
        return Destination(unread, settings, problem=str(error))
