"""Whatever a fork must not copy half done is told of it, at whatever moment it comes to be."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from event_brokers import fork as forks
from event_brokers.plugin import watch_fork

SECONDS = 10.0


class Recorder:
    """Notes what a fork tells it.

    Parameters:
        before: called when the first fork is about to come.
    """

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        self.told: list[str] = []
        self._before = before

    def before_fork(self) -> None:
        """Note it."""
        self.told.append("before")
        if len(self.told) == 1:
            self._before()

    def after_fork_in_parent(self) -> None:
        """Note it."""
        self.told.append("after")

    def after_fork_in_child(self) -> None:
        """Do nothing: the child ends at once."""


def fork() -> None:
    """Fork a child that ends at once."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_what_comes_to_be_while_another_thread_forks_opens_nothing_before_that_is_over() -> None:
    """A fork amid its first steps would copy a lock that nobody in the child ever releases."""
    order: list[str] = []
    late = Recorder()

    def begin() -> None:
        watch_fork(late)
        order.append("opens")

    thread = threading.Thread(target=begin)

    def begin_meanwhile() -> None:
        thread.start()
        thread.join(0.2)  # long enough, were nothing to hold it

    first = Recorder(begin_meanwhile)
    watch_fork(first)
    last = Recorder(lambda: order.append("forks"))
    watch_fork(last)
    fork()
    order.append("has forked")
    thread.join(SECONDS)
    assert first.told == ["before", "after"]
    assert order.index("opens") > order.index("forks")
    assert late.told in ([], ["before", "after"])


def test_a_fork_waits_for_another_thread_that_opens_something() -> None:
    """A child could never open what is half open in its copy."""
    order: list[str] = []
    opening, about_to_fork = threading.Event(), threading.Event()

    def open_something() -> None:
        with forks.held_off():
            opening.set()
            about_to_fork.wait(SECONDS)
            about_to_fork.clear()
            about_to_fork.wait(0.2)  # long enough, were nothing to hold the fork
            order.append("opened")

    last = Recorder(lambda: order.append("forks"))
    watch_fork(last)
    thread = threading.Thread(target=open_something)
    thread.start()
    assert opening.wait(SECONDS)
    about_to_fork.set()
    fork()
    thread.join(SECONDS)
    assert order == ["opened", "forks"]


def test_what_a_fork_itself_brings_about_does_not_wait_for_it() -> None:
    """Such as a connection that is made anew on the thread that forks."""
    inner = Recorder()
    outer = Recorder(lambda: watch_fork(inner))
    watch_fork(outer)
    done = threading.Event()

    def fork_and_tell() -> None:
        fork()
        done.set()

    threading.Thread(target=fork_and_tell, daemon=True).start()
    assert done.wait(SECONDS)
    fork()
    assert inner.told[-2:] == ["before", "after"]


def test_who_watches_does_not_wait_for_a_fork_that_is_over() -> None:
    """Also where a child was forked, and then another thread comes."""
    for _ in range(2):
        fork()
    done = threading.Event()
    recorder = Recorder()

    def begin() -> None:
        watch_fork(recorder)
        done.set()

    threading.Thread(target=begin, daemon=True).start()
    assert done.wait(1.0), "it waited for as long as for a fork that hangs"
