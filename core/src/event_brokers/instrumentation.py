"""What an application's instrumentation adds to events, and sees of their delivery.

Nothing that it raises reaches whoever publishes, or holds up delivery; it is logged once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, Protocol, TypeVar

from event_brokers.outage import Outage

_Found = TypeVar("_Found")
_End = Callable[[BaseException | None], None]


class Instrumentation(Protocol):
    """What is told of events as they are made, and of batches as they are sent."""

    def headers(self) -> Mapping[str, str]:
        """Return what is to travel beside an event that is made now."""

    def begin(self, type_name: str, events: Sequence[Any]) -> _End:
        """Note that a plugin is given a batch, and return what is called when that has ended.

        Parameters:
            type_name: of the broker.
            events: the batch, of `Event`.
        """


# looked at for each event before anything is called: who has none pays nothing
installed: tuple[Instrumentation, ...] = ()
_outage = Outage("instrumentation")


def install(instrumentation: Instrumentation) -> None:
    """Tell something of everything from now on."""
    global installed
    installed = (*installed, instrumentation)


def remove(instrumentation: Instrumentation) -> None:
    """Tell something nothing more."""
    global installed
    installed = tuple(each for each in installed if each is not instrumentation)


def with_context(headers: Any) -> Any:
    """Return the headers of an event that is made now; what the caller gives comes first.

    Parameters:
        headers: as they were given; what is no mapping is refused later, in a sentence.
    """
    for each in installed:
        try:
            added = each.headers()
        except Exception as error:  # noqa: BLE001 - events go on without it
            _note(error)
            continue
        if added and isinstance(headers, (Mapping, type(None))):
            headers = {**added, **(headers or {})}
    return headers


def delivering(type_name: str, events: Sequence[Any]) -> AbstractContextManager[None]:
    """Return what is entered while a plugin is given a batch.

    Parameters:
        type_name: of the broker.
        events: the batch, of `Event`.
    """
    return _delivering(type_name, events) if installed else nullcontext()


@contextmanager
def _delivering(type_name: str, events: Sequence[Any]) -> Iterator[None]:
    ends = [_guarded(partial(each.begin, type_name, events)) for each in installed]
    failure: BaseException | None = None
    try:
        yield
    except BaseException as error:
        failure = error
        raise
    finally:
        for end in ends:
            if end is not None:
                _guarded(partial(end, failure))


def _guarded(call: Callable[[], _Found]) -> _Found | None:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - delivery goes on without it
        _note(error)
        return None


def _note(error: Exception) -> None:
    _outage.failed(type(error), f"failed: {type(error).__name__}")
