"""A section that is written for Rasa's own loader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from event_brokers.log import logger
from event_brokers.section import DEFAULT_TYPE, Section

TYPE = "event_brokers.rasa.RasaEventBroker"  # what a real Rasa loads, by this name
_NOT_GIVEN = (None, "")


def without_rasa(section: Section) -> Section:
    """Return the section as it would stand without Rasa: what `broker`, or `broker_type`, says.

    Raises:
        ConfigurationError: neither is given, or `broker` is not all there is.
    """
    ours = _without_type(section)
    _warn_of_queue(ours)
    return ours


def _without_type(section: Section) -> Section:
    given = {name: value for name, value in section.values.items() if name != "type"}
    if given.get("broker") not in _NOT_GIVEN:
        return _inside_broker(section, given)
    if given.get("broker_type") in _NOT_GIVEN:
        raise section.error(
            "does not say which broker; add broker_type, such as broker_type: kafka", "type"
        )
    given.pop("broker", None)
    given["type"] = given.pop("broker_type")
    return msgspec.structs.replace(section, values=given, type_key="broker_type")


def _inside_broker(section: Section, given: Mapping[str, Any]) -> Section:
    for name, value in given.items():
        if name != "broker" and value not in _NOT_GIVEN:
            raise section.error("stands beside 'broker'; move it in there", name)
    broker = given["broker"]
    if not isinstance(broker, Mapping) or not broker:
        raise section.error("must hold options, such as type: kafka", "broker")
    return section.inside("broker", broker)


def _warn_of_queue(section: Section) -> None:
    """Warn of `queue` alone, which rasa/core/brokers/pika.py of Rasa 3.6.21 does not know."""
    values = section.values
    if str(values.get("type") or DEFAULT_TYPE).casefold() != "pika":
        return
    if values.get("queue") in _NOT_GIVEN or values.get("queues") not in _NOT_GIVEN:
        return
    logger.warning(
        "%s: Rasa 3 itself would pass over it, and publish to its exchange and the queue "
        "'rasa_core_events'; here it is published to alone; write queues to have the exchange",
        section.where("queue"),
    )
