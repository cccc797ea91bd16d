"""The code of docs/plugins.md: the files that it shows, and the commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from wheels import ROOT

PAGE = ROOT / "docs" / "plugins.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(file: str) -> list[str]:
    """Return what the page shows of a Python file, whose name stands in the first line.

    Parameters:
        file: such as "src/event_brokers_lines/__init__.py".
    """
    return [text for text in _of_language("python") if text.startswith(f"# {file}\n")]


def project(name: str) -> str:
    """Return the pyproject.toml of the page, for one of its plugins.

    Parameters:
        name: the type, such as "webhook".
    """
    (text,) = _of_language("toml")
    return text.replace("lines", name)


def commands() -> list[str]:
    """Return the commands of the page, in order."""
    lines = [line for text in _of_language("console") for line in text.splitlines()]
    return [line.removeprefix("$ ") for line in lines]


def write_module(name: str, folder: Path) -> Path:
    """Write a plugin of the page as a module that can be imported.

    Parameters:
        name: the type.
        folder: which holds the module afterwards.
    """
    file = folder / f"event_brokers_{name}.py"
    texts = blocks(f"src/event_brokers_{name}/__init__.py")
    file.write_text("\n".join(texts), encoding="utf-8")
    return file


def write_distribution(name: str, folder: Path) -> None:
    """Write a plugin of the page as a distribution that can be built.

    Parameters:
        name: the type.
        folder: which is made.
    """
    package = folder / "src" / f"event_brokers_{name}"
    package.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(project(name), encoding="utf-8")
    (package / "py.typed").touch()
    texts = blocks(f"src/event_brokers_{name}/__init__.py")
    (package / "__init__.py").write_text("\n".join(texts), encoding="utf-8")


def _of_language(language: str) -> Iterator[str]:
    for found in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if found[1] == language:
            yield found[2]
