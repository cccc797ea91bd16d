"""Stand-ins for installed plugins and commands: distributions in a folder, as pip leaves them."""

from __future__ import annotations

from pathlib import Path


def write_plugin(
    folder: Path,
    type_name: str,
    source: str,
    distribution: str = "stand-in",
    version: str = "1.0",
) -> None:
    """Write a distribution that registers one plugin.

    Parameters:
        folder: made if it is missing; what it holds is installed while it is on `sys.path`.
        type_name: the type that the plugin serves.
        source: the plugin's module.
        distribution: the distribution's name.
        version: the distribution's version.
    """
    entry_points = f"[event_brokers]\n{type_name} = {_module(distribution)}\n"
    _write(folder, entry_points, source, distribution, version)


def require(folder: Path, distribution: str, requirement: str, version: str = "1.0") -> None:
    """Let a distribution say that it needs another one.

    Parameters:
        folder: in which it was written.
        distribution: its name.
        requirement: such as "event-brokers>=0.1,<0.2".
        version: its version.
    """
    metadata = folder / f"{_module(distribution)}-{version}.dist-info" / "METADATA"
    with metadata.open("a", encoding="utf-8") as file:
        file.write(f"Requires-Dist: {requirement}\n")


def write_command(
    folder: Path,
    name: str,
    source: str,
    distribution: str = "stand-in-command",
    version: str = "1.0",
) -> None:
    """Write a distribution that registers one further command.

    Parameters:
        folder: made if it is missing; what it holds is installed while it is on `sys.path`.
        name: the command's name.
        source: a module that holds a click command named `command`.
        distribution: the distribution's name.
        version: the distribution's version.
    """
    entry_points = f"[event_brokers.commands]\n{name} = {_module(distribution)}:command\n"
    _write(folder, entry_points, source, distribution, version)


def write_page(folder: Path, name: str, source: str, distribution: str = "stand-in-page") -> None:
    """Write a distribution that registers one page of the assistant's server.

    Parameters:
        folder: made if it is missing; what it holds is installed while it is on `sys.path`.
        name: the page's name.
        source: a module that holds a function named `page`.
        distribution: the distribution's name.
    """
    entry_points = f"[event_brokers.pages]\n{name} = {_module(distribution)}:page\n"
    _write(folder, entry_points, source, distribution, "1.0")


def _write(folder: Path, entry_points: str, source: str, distribution: str, version: str) -> None:
    module = _module(distribution)
    metadata = folder / f"{module}-{version}.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", encoding="utf-8"
    )
    (metadata / "entry_points.txt").write_text(entry_points, encoding="utf-8")
    (folder / f"{module}.py").write_text(source, encoding="utf-8")


def _module(distribution: str) -> str:
    return distribution.replace("-", "_")
