"""Whether a request, as it was sent, and its answer are what an OpenAPI document describes."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema_rs


class Description:
    """An OpenAPI document, to compare requests with.

    Parameters:
        document: the document.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = document["components"]
        self._operations = {
            (method.upper(), re.compile(re.sub(r"{\w+}", "(.*)", path), re.DOTALL)): operation
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        }

    def has(self, request: Any) -> bool:
        """Return whether path, query and body of a prepared request are as described."""
        sent = urlsplit(request.url)
        query = dict(parse_qsl(sent.query, keep_blank_values=True))
        return any(
            self._takes(operation, in_path, query, request.body or b"")
            for operation, in_path in self._operations_of(request)
        )

    def has_answer(self, request: Any, status: int, body: bytes) -> bool:
        """Return whether what was answered to a prepared request is as described."""
        for operation, _ in self._operations_of(request):
            content = operation["responses"].get(str(status), {"content": {}})["content"]
            if "application/json" in content:
                return self._is_valid(content["application/json"]["schema"], json.loads(body))
        return True

    def _operations_of(self, request: Any) -> Iterator[tuple[Any, tuple[str, ...]]]:
        path = unquote(urlsplit(request.url).path)
        for (method, pattern), operation in self._operations.items():
            if method == request.method and (found := pattern.fullmatch(path)):
                yield operation, found.groups()

    def _takes(
        self, operation: Any, in_path: tuple[str, ...], query: dict[str, str], body: bytes
    ) -> bool:
        for parameter in operation["parameters"]:
            name = parameter["name"]
            in_query = [query[name].upper()] if name in query else []
            values = in_path if parameter["in"] == "path" else in_query
            if not all(self._is_valid(parameter["schema"], value) for value in values):
                return False
        if "requestBody" not in operation:
            return True
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        try:
            return self._is_valid(schema, json.loads(body))
        except ValueError:
            return False

    def _is_valid(self, schema: dict[str, Any], value: Any) -> bool:
        whole = {**schema, "components": self._components}
        return jsonschema_rs.validator_for(whole).is_valid(value)


def has_new_characters(request: Any) -> bool:
    """Return whether a name has characters that Python's Unicode does not know, or not yet.

    What is printable among them depends on who is asked.

    Parameters:
        request: is prepared.
    """
    names = [unquote(urlsplit(request.url).path)]
    try:
        body = json.loads(request.body or b"")
    except ValueError:
        body = None
    for each in body if isinstance(body, list) else [body]:
        names += [str(each.get("sender")), str(each.get("event"))] if isinstance(each, dict) else []
    return any(unicodedata.category(character) == "Cn" for name in names for character in name)
