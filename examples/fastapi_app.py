"""A FastAPI application whose workers share a spool: uvicorn fastapi_app:app --workers 4.

`endpoints.yml` in the working folder names the broker and, under `delivery`, the spool. An event of
a request that was answered outlives the worker, and is delivered by whichever of them lives.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel

import event_brokers


class Message(BaseModel):
    """What somebody says."""

    text: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Give each worker a broker; the end of the worker closes it."""
    async with event_brokers.connect("endpoints.yml") as broker:
        app.state.broker = broker
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/conversations/{sender_id}/messages", status_code=202)
def say(sender_id: str, message: Message, request: Request) -> dict[str, str]:
    """Accept a message; without `async` the spool's commit keeps no other request waiting."""
    event = {
        "sender_id": sender_id,
        "event": "user",
        "text": message.text,
        "timestamp": time.time(),
    }
    try:
        return {"event_id": request.app.state.broker.publish(event)}
    except event_brokers.QueueFull:
        raise HTTPException(503, "the spool is full", {"Retry-After": "10"}) from None


@app.get("/health")
def health(request: Request) -> dict[str, str | int]:
    """Tell how delivery goes, of all workers."""
    status = request.app.state.broker.status()
    return {"state": status.state, "pending": status.pending, "delivered": status.delivered}
