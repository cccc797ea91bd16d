"""What the operating system's errors mean for delivery, in words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from event_brokers.plugin import BrokerUnavailable, ConfigurationError, EventBrokersError

_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_FILE = {errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO}


def system_reason(error: OSError) -> str:
    """Return what the operating system says, as a lower-case clause."""
    return (error.strerror or "cannot be used").lower()


def translate(error: OSError, path: Path) -> EventBrokersError:
    """Return the error that tells the core what to do.

    Parameters:
        error: of a file.
        path: what was to be opened, read or written.
    """
    if not path.parent.is_dir() and error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return ConfigurationError(
            f"event_broker.path: the folder '{path.parent}' does not exist; make it first"
        )
    if error.errno in _FORBIDDEN:
        return ConfigurationError(
            f"event_broker.path: '{error.filename or path}': {system_reason(error)}; "
            "let this user write it and its folder"
        )
    if error.errno in _NO_FILE:
        return ConfigurationError(
            f"event_broker.path: '{path}': {system_reason(error)}; name a file"
        )
    return BrokerUnavailable(f"'{path}': {system_reason(error)}")


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Say of what the operating system raises in the block what it means for delivery.

    Parameters:
        path: of the file that is used there.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: the disk is full, or worse.
    """
    try:
        yield
    except OSError as error:
        raise translate(error, path) from error
