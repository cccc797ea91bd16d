"""Keys that Rasa 3 passes over in a section of Kafka, and what happens instead of each.

Rasa 2, Rasa Pro or other clients know them; Rasa 3.6.21 takes any key and uses those of its own
(rasa/core/brokers/kafka.py).
"""

from __future__ import annotations

from collections.abc import Mapping

_DELAYS = "has no effect; the delays between attempts grow from 0.1 s to 30 s"

PASSED_OVER: Mapping[str, str] = {
    "group_id": "has no effect; a publisher is in no group, and a consumer is given its own",
    "convert_intent_id_to_string": "has no effect; numbers stay the numbers that they are",
    "executor_max_workers": "has no effect; one thread delivers, a batch at a time",
    "socket_keepalive_enable": (
        "has no effect; a broker that is gone is noticed when an answer fails to come"
    ),
    "reconnect_backoff_ms": _DELAYS,
    "reconnect_backoff_max_ms": _DELAYS,
    "topic_metadata_refresh_interval_ms": (
        "has no effect; partitions are asked for every 5 minutes, and when one has moved"
    ),
}
