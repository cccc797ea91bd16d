"""Every failure of the HTTP API as JSON, in the form of Rasa's."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from event_brokers import InvalidEvent
from event_brokers_assistant.errors import ModelError, TrackerStoreError

logger = logging.getLogger("event_brokers.assistant")

VERSION = version("event-brokers-assistant")


def document(status: int, message: str) -> dict[str, Any]:
    """Return what a failure's body holds.

    Parameters:
        status: of HTTP.
        message: one clause, without what was sent.
    """
    return {
        "version": VERSION,
        "status": "failure",
        "reason": HTTPStatus(status).phrase,
        "message": message,
        "code": int(status),
    }


def _response(status: int, message: str) -> Response:
    return JSONResponse(document(status, message), status)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _response(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


async def _invalid(_request: Request, error: Exception) -> Response:
    return _response(HTTPStatus.BAD_REQUEST, str(error))


async def _model_failed(request: Request, error: Exception) -> Response:
    logger.error("%s: %s", request.url.path, error)
    logger.debug("the cause", exc_info=error)
    return _response(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


async def _store_failed(_request: Request, error: Exception) -> Response:
    logger.error("%s", error)
    return _response(HTTPStatus.SERVICE_UNAVAILABLE, str(error))


async def _gone(_request: Request, _error: Exception) -> Response:
    # nobody reads it: the connection was closed before its request had arrived
    return _response(HTTPStatus.BAD_REQUEST, "body: ended too early")


async def _bug(_request: Request, error: Exception) -> Response:
    return _response(HTTPStatus.INTERNAL_SERVER_ERROR, f"a bug: {type(error).__name__}")


HANDLERS: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    HTTPException: _refused,
    InvalidEvent: _invalid,
    ModelError: _model_failed,
    TrackerStoreError: _store_failed,
    ClientDisconnect: _gone,
    Exception: _bug,
}
"""Exception -> what answers it, as Starlette wants it."""
