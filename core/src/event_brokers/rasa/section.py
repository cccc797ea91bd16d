"""A section that is written for Rasa's own loader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from event_brokers.section import Section

TYPE = "event_brokers.rasa.RasaEventBroker"  # what a real Rasa loads, by this name


def without_rasa(section: Section) -> Section:
    """Return the section as it would stand without Rasa: what `broker`, or `broker_type`, says.

    Raises:
        ConfigurationError: neither is given, or `broker` is not all there is.
    """
    given = {name: value for name, value in section.values.items() if name != "type"}
    if given.get("broker") is not None:
        return _inside_broker(section, given)
    if given.get("broker_type") is None:
        raise section.error(
            "does not say which broker; add broker_type, such as broker_type: kafka", "type"
        )
    given["type"] = given.pop("broker_type")
    return msgspec.structs.replace(section, values=given, type_key="broker_type")


def _inside_broker(section: Section, given: Mapping[str, Any]) -> Section:
    for name, value in given.items():
        if name != "broker" and value is not None:
            raise section.error("stands beside 'broker'; move it in there", name)
    broker = given["broker"]
    if not isinstance(broker, Mapping) or not broker:
        raise section.error("must hold options, such as type: kafka", "broker")
    return section.inside("broker", broker)
