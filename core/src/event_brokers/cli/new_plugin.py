"""Writes a distribution that holds a plugin, from the files in `plugin-template`.

Those files are a plugin themselves, of the type `mybroker`: what is written is a copy in which that
name is another one. The folders in it are laid over one another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.plugins import DISTRIBUTIONS
from event_brokers.wording import system_reason

PLACEHOLDER = "mybroker"
LONGEST_NAME = 40  # characters; PyPI takes more, and the lines of the files do not

_TEMPLATE = Path(__file__).parent / "plugin-template"
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


def checked_name(name: str) -> str:
    """Return the name of a type.

    Raises:
        CommandFailed: it cannot be one, or is that of another plugin.
    """
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise _failed(
            f"'{name}' cannot be a type; take up to {LONGEST_NAME} lower-case letters and digits, "
            "beginning with a letter, with single '-' or '_' between them"
        )
    if name in DISTRIBUTIONS:
        raise _failed(f"'{name}' is the type of {DISTRIBUTIONS[name]}; take another name")
    return name


def distribution_of(name: str) -> str:
    """Return the name of the distribution that serves a type."""
    return f"event-brokers-{name.replace('_', '-')}"


def write_plugin(name: str, folder: Path, layers: Sequence[str]) -> list[Path]:
    """Write the distribution, and return its files, sorted.

    Parameters:
        name: of the type.
        folder: to write into; missing or empty.
        layers: folders of the template; the later ones replace files of those before.

    Raises:
        CommandFailed: the folder cannot be written, or something is in it.
    """
    texts = {
        Path(_renamed(str(path), name)): _renamed(text, name)
        for layer in layers
        for path, text in _files(_TEMPLATE / layer)
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise _failed(f"'{folder}' is not empty; name another folder with --folder")
        for path, text in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise _failed(f"'{folder}' cannot be written: {system_reason(error)}") from error
    return sorted(folder / path for path in texts)


def _files(layer: Path) -> Iterator[tuple[Path, str]]:
    for path in layer.rglob("*"):
        # an installer may have compiled the modules
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(layer), path.read_text(encoding="utf-8")


def _renamed(text: str, name: str) -> str:
    module = f"event_brokers_{name.replace('-', '_')}"
    text = text.replace(f"event_brokers_{PLACEHOLDER}", module)
    text = text.replace(f"event-brokers-{PLACEHOLDER}", distribution_of(name))
    return text.replace(PLACEHOLDER, name)


def _failed(text: str) -> CommandFailed:
    return CommandFailed(text, ExitCode.EX_USAGE)
