"""Pages that other distributions add to the HTTP server, each at the path of its name.

One is registered in the group of entry points `event_brokers.pages`: a function that is given the
token which the server wants, or None, and returns the Starlette application to mount.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.applications import Starlette

from event_brokers.registrations import registrations
from event_brokers.wording import name_and_first_line

GROUP = "event_brokers.pages"
logger = logging.getLogger("event_brokers.assistant")


def installed(token: str | None) -> Mapping[str, Starlette]:
    """Return every page that is installed and works, by its name.

    Parameters:
        token: what the server wants; None lets everybody in.
    """
    pages: dict[str, Starlette] = {}
    for each in registrations(GROUP):
        try:
            pages[each.name] = each.load()(token)
        except Exception as error:  # noqa: BLE001 - the assistant answers without its pages
            logger.warning(
                "/%s: %s cannot be used: %s", each.name, each, name_and_first_line(error)
            )
    return pages
