"""What `/metrics` answers, which needs prometheus_client: the extra `prometheus`."""

from __future__ import annotations

from dataclasses import dataclass

WAY_OUT = 'needs prometheus_client; pip install "event-brokers-assistant[prometheus]"'


@dataclass(frozen=True)
class Exposition:
    """The metrics at one moment.

    Attributes:
        content: as Prometheus reads it.
        media_type: which form that is.
    """

    content: bytes
    media_type: str


def exposed(wanted: str) -> Exposition:
    """Return the metrics of every broker and consumer of the process.

    Parameters:
        wanted: the forms that the client can read, as in its header Accept.

    Raises:
        ModuleNotFoundError: prometheus_client is not installed.
    """
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - it may be missing
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

    from event_brokers.metrics import EventBrokersCollector  # noqa: PLC0415

    registry = CollectorRegistry()
    registry.register(EventBrokersCollector())
    encode, media_type = choose_encoder(wanted)
    return Exposition(encode(registry), media_type)
