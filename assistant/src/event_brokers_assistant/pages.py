"""Pages that other distributions add to the HTTP server, each at the path of its name.

One is registered in the group of entry points `event_brokers.pages`: a function that is given the
token which the server wants, or None, and returns the Starlette application to mount.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette

from event_brokers.registrations import registrations
from event_brokers.wording import name_and_first_line

GROUP = "event_brokers.pages"
logger = logging.getLogger("event_brokers.assistant")


def installed(token: str | None) -> dict[str, Starlette]:
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


@asynccontextmanager
async def living(name: str, page: Starlette) -> AsyncIterator[bool]:
    """Begin a page's life and end it, and hand out whether it has begun; what fails is logged.

    Parameters:
        name: of the page.
        page: whose lifespan it is.
    """
    life = page.router.lifespan_context(page)
    has_begun = False
    try:
        await life.__aenter__()
        has_begun = True
    except Exception as error:  # noqa: BLE001 - the assistant answers without its pages
        logger.warning("/%s: cannot be used: %s", name, name_and_first_line(error))
    try:
        yield has_begun
    finally:
        if has_begun:
            await _end(name, life)


async def _end(name: str, life: AbstractAsyncContextManager[object]) -> None:
    try:
        await life.__aexit__(None, None, None)
    except Exception as error:  # noqa: BLE001 - the assistant ends, however its pages do
        logger.warning("/%s: failed at the end: %s", name, name_and_first_line(error))
