"""What a failed connection means: for a person to change, or to be tried again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from event_brokers import BrokerUnavailable, ConfigurationError
from event_brokers.plugin.network import connection_problem
from event_brokers.plugin.tls import handshake_problem

from event_brokers_mybroker.options import BrokerOptions


@contextmanager
def told_in_words(options: BrokerOptions) -> Iterator[None]:
    """Let the errors of the network say what has happened, and no more than that.

    What a client library says of its own may quote an event or a password: it is the cause, and
    not the sentence.
    """
    try:
        yield
    except (OSError, EOFError, TimeoutError) as error:
        problem = handshake_problem(error, str(options.address), options)
        if problem is not None:
            raise ConfigurationError(problem) from error
        problem = connection_problem(error, options.address)
        raise BrokerUnavailable(problem or f"{options.address} cannot be reached") from error
