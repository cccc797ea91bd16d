"""Keys that sections hold and no broker here has a use for, and what happens instead of each."""

from __future__ import annotations

from collections.abc import Mapping

# of connecting, sending again and logging, which are the core's work
DELIVERY: Mapping[str, str] = {
    "should_keep_unpublished_messages": (
        "has no effect; events that wait are always kept, up to delivery.max_pending"
    ),
    "raise_on_failure": (
        "has no effect; connecting happens in the background and goes on until it succeeds"
    ),
    "connection_attempts": "has no effect; connecting goes on until it succeeds",
    "retry_delay_in_seconds": (
        "has no effect; the delays between attempts grow from 0.1 s to 30 s"
    ),
    "log_level": "has no effect; the level of the logger 'event_brokers' says what is logged",
    "loglevel": "has no effect; the level of the logger 'event_brokers' says what is logged",
}

# of sections for HTTP endpoints, which are read by the same loaders
HTTP_ENDPOINT: Mapping[str, str] = {
    "params": "has no effect; nothing is sent beside events and their headers",
    "headers": "has no effect; headers are given to publish, with each event",
    "basic_auth": "has no effect; user and password are options of their own",
    "token": "has no effect; user and password sign in",
    "token_name": "has no effect; user and password sign in",
    "cafile": "has no effect; ssl_cafile names the authorities to trust",
}
