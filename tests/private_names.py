"""What a module takes of others though it is private there."""

from __future__ import annotations

import ast
from pathlib import Path

_OURS = ("self", "cls")


def find_private_names(module: Path) -> set[str]:
    """Return the private attributes of others that a module uses, as `owner._name`."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return {ast.unparse(node) for node in attributes if _is_private(node)}


def _is_private(attribute: ast.Attribute) -> bool:
    owner, name = attribute.value, attribute.attr
    if not name.startswith("_") or name.startswith("__"):
        return False
    return not (isinstance(owner, ast.Name) and owner.id in _OURS)
