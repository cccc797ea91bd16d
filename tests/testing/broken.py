"""The register of plugins that are broken on purpose, and of the checks that have to find each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from testing.ledger import Ledger


@dataclass(frozen=True)
class Broken:
    """A broken plugin, and who finds it.

    Attributes:
        entry_point: of the plugin.
        found_by: the checks meant for it: all of them fail.
        also: checks about the same line of the contract, which may fail, too.
        lines: of the author's class, such as a shorter deadline.
    """

    entry_point: str
    found_by: tuple[str, ...]
    also: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


BROKEN: dict[str, Broken] = {}
NO_CONFIRM = (
    "test_what_publish_returned_from_is_there",
    "test_what_publish_returned_from_survives_a_kill",
)
UNHEARD_FAILURE = (
    "test_publishing_to_a_frozen_server_fails",
    "test_a_partial_failure_names_what_was_confirmed",
    "test_a_refused_event_is_a_dead_letter_and_the_others_arrive",
    "test_a_server_that_was_killed_is_used_again",
    "test_nothing_is_lost_when_the_server_is_killed_in_mid_stream",
    "test_nothing_is_lost_when_connections_are_reset_in_mid_stream",
)
ORDER = ("test_batches_arrive_in_order", "test_batches_of_one_connection_arrive_in_order")
RECOVERY = UNHEARD_FAILURE[3:]


def broken(*found_by: str, also: Sequence[str] = (), lines: tuple[str, ...] = ()) -> Any:
    """Enter an instance of a class among the broken plugins.

    Parameters:
        found_by: the checks meant for it.
        also: checks about the same line of the contract.
        lines: of the author's class.
    """

    def enter(plugin: type[Ledger]) -> type[Ledger]:
        name = f"the_{plugin.__name__}"
        setattr(sys.modules[plugin.__module__], name, plugin())
        BROKEN[plugin.__name__] = Broken(
            f"{plugin.__module__}:{name}", found_by, tuple(also), lines
        )
        return plugin

    return enter


IMPORTS = {
    "a thread": "import threading\n"
    "threading.Thread(target=threading.Event().wait, daemon=True).start()\n",
    "the network": "import socket\nsocket.getaddrinfo('127.0.0.1', 1)\n",
    "time": "import time\ntime.sleep(2.5)\n",
}
