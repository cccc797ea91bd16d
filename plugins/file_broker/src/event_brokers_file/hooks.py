"""What the core calls: the hooks of `type: file`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from event_brokers.plugin import Event, ReceivedEvent, hookimpl
from event_brokers_file import consumer
from event_brokers_file.connection import Connection
from event_brokers_file.inspection import inspect
from event_brokers_file.options import FileOptions
from event_brokers_file.standard_output import StandardOutput


@hookimpl
def connect(options: FileOptions, used: set[str]) -> Connection | StandardOutput:
    """Open the file, and make it where it is missing and always was."""
    if options.is_standard_output:
        return StandardOutput(options.event_ids)
    return Connection(options, used)


@hookimpl
def publish(connection: Connection | StandardOutput, events: Sequence[Event]) -> None:
    """Append the batch, a line each, and flush it to the disk."""
    connection.publish(events)


@hookimpl
def close(connection: Connection | StandardOutput) -> None:
    """Close the file."""
    connection.close()


@hookimpl(specname="options")
def options_class() -> type[FileOptions]:
    """Return the options class."""
    return FileOptions


@hookimpl
def check(options: FileOptions) -> Sequence[str]:
    """Look at the file and its folder, and change nothing."""
    return inspect(options)


@hookimpl
def consume(
    options: FileOptions, group: str | None, from_start: bool, used: set[str]
) -> Iterator[ReceivedEvent | None]:
    """Follow the file through its rotations, oldest line first."""
    del used  # whoever waits for a file to come back loses nothing
    return consumer.consume(options, group, from_start)
