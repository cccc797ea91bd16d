"""What an application's instrumentation adds to events, and sees of their delivery.

Nothing that its `headers` and `begin` raise reaches whoever publishes, or changes how a batch has
ended; each type of error is logged once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, Protocol, TypeVar

from event_brokers.log import logger
from event_brokers.signal_handlers import is_from_signal_handler

_Found = TypeVar("_Found")
_End = Callable[[BaseException | None], None]
_Headers = dict[str, str]

# the two are one: the one of a trace says nothing beside the other of another trace
_OF_TRACE = frozenset({"traceparent", "tracestate"})  # W3C Trace Context, section 3


class Instrumentation(Protocol):
    """What is told of events as they are made, and of batches as they are sent."""

    def is_active(self) -> object:
        """Return something true if there may be headers for an event that is made now.

        It is asked before each event, with nothing around it: it is quick, and raises nothing.
        """

    def headers(self) -> Mapping[str, str]:
        """Return what is to travel beside an event that is made now."""

    def begin(self, type_name: str, events: Sequence[Any]) -> _End:
        """Note that a plugin is given a batch, and return what is called when that has ended.

        Both run on the thread that delivers: what takes its time belongs on another one.

        Parameters:
            type_name: of the broker.
            events: the batch, of `Event`.
        """


installed: tuple[Instrumentation, ...] = ()
# None while there is none, who then pays nothing; asked as it is, for a function around it would
# double what an event costs while nothing is active
is_active: Callable[[], object] | None = None
_told: set[str] = set()  # the errors that were logged


def install(instrumentation: Instrumentation) -> None:
    """Tell something of everything from now on."""
    _replace((*installed, instrumentation))


def remove(instrumentation: Instrumentation) -> None:
    """Tell something nothing more."""
    _replace(tuple(each for each in installed if each is not instrumentation))
    _told.clear()


def with_context(given: _Headers, check: Callable[[Mapping[str, str]], _Headers]) -> _Headers:
    """Return the headers of an event that is made now; what the caller gives comes first.

    Parameters:
        given: by the caller, and usable.
        check: returns headers that are usable, and raises for others; what is added is left out
            where it raises.
    """
    headers = given
    for each in installed:
        try:
            if added := each.headers():
                headers = check(_joined(added, headers))
        except Exception as error:
            if is_from_signal_handler(error):
                raise  # it is the application's own, such as a time limit
            _note(error)
    return headers


def delivering(type_name: str, events: Sequence[Any]) -> AbstractContextManager[None]:
    """Return what is entered while a plugin is given a batch.

    Parameters:
        type_name: of the broker.
        events: the batch, of `Event`.
    """
    return _delivering(type_name, events) if installed else nullcontext()


def _replace(instrumentations: tuple[Instrumentation, ...]) -> None:
    global installed, is_active
    installed, is_active = instrumentations, None
    if instrumentations:
        is_active = instrumentations[0].is_active if len(instrumentations) == 1 else _any_is_active


def _any_is_active() -> bool:
    return any(each.is_active() for each in installed)


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
    except BaseException as error:  # noqa: BLE001 - on the delivery's thread, which goes on
        _note(error)
        return None


def _joined(added: Mapping[str, str], headers: _Headers) -> Mapping[str, str]:
    """Return what is added beside the headers: no name twice, in whatever case, and one trace."""
    taken = {name.casefold() for name in headers}
    if taken & _OF_TRACE:
        taken |= _OF_TRACE
    return {
        **{name: value for name, value in added.items() if name.casefold() not in taken},
        **headers,
    }


def _note(error: BaseException) -> None:
    name = type(error).__name__  # its text may hold an event
    if name not in _told:
        _told.add(name)
        logger.warning("instrumentation: failed: %s", name)
