"""What Rasa 3.6.21 does with a section, copied from its source: it wants another environment."""

from __future__ import annotations

import asyncio
import importlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from event_brokers.rasa.section import TYPE as RASA_TYPE

__all__ = ["RASA_TYPE", "EndpointConfig", "create", "loaded", "read_yaml"]


class EndpointConfig:
    """What Rasa 3.6.21 makes of a section; the constructor of rasa/utils/endpoints.py."""

    def __init__(  # noqa: PLR0913, PLR0917 - as there
        self,
        url: str | None = None,
        params: dict[str, Any] | None = None,
        headers: dict[str, Any] | None = None,
        basic_auth: dict[str, str] | None = None,
        token: str | None = None,
        token_name: str = "token",
        cafile: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.url = url
        self.params = params or {}
        self.headers = headers or {}
        self.basic_auth = basic_auth or {}
        self.token = token
        self.token_name = token_name
        self.type = kwargs.pop("store_type", kwargs.pop("type", None))
        self.cafile = cafile
        self.kwargs = kwargs


async def create(broker_config: EndpointConfig) -> Any:
    """Do as `_load_from_module_name_in_endpoint_config` of rasa/core/brokers/broker.py."""
    try:
        module_name, _, class_name = broker_config.type.rpartition(".")
        event_broker_class: Any = getattr(importlib.import_module(module_name), class_name, None)
        if event_broker_class is None:
            raise ImportError(f"Cannot retrieve class from path {broker_config.type}.")
        return await event_broker_class.from_endpoint_config(broker_config)
    except (AttributeError, ImportError):
        return None  # "Not using any event broker"


def read_yaml(file: Path) -> dict[str, Any]:
    """Return the section `event_broker` as `read_yaml` of rasa/shared/utils/io.py makes it.

    YAML 1.2 by ruamel, in which `yes` is text and 0123 a number; `${NAME}` of the environment is
    put in where it is not in quotes.
    """
    parser = YAML(typ="safe", pure=True)
    parser.version = (1, 2)
    parser.resolver.add_implicit_resolver("!env_var", re.compile(r"^(.*)\$\{(.*)\}(.*)$"), None)
    parser.constructor.add_constructor(
        "!env_var", lambda self, node: os.path.expandvars(self.construct_scalar(node))
    )
    section: dict[str, Any] = parser.load(file.read_text(encoding="utf-8"))["event_broker"]
    return section


def loaded(section: Mapping[str, Any]) -> Any:
    """Return the broker that Rasa has for a section, without the type; None where it has none."""
    return asyncio.run(create(EndpointConfig(**{"type": RASA_TYPE, **section})))
