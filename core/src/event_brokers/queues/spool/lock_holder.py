"""Which process holds a lock on a file, where the system tells."""

from __future__ import annotations

import os
from pathlib import Path

_LOCKS = Path("/proc/locks")  # Linux; its fields are described in proc(5)


def process_holding(path: Path) -> int | None:
    """Return the other process that keeps a file locked for itself; None where nobody tells.

    Parameters:
        path: of a file that is locked as a whole or in part.
    """
    try:
        found = path.stat()
        lines = _LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in lines:
        # "1: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF"; one that waits has "->" in between
        _, *words = line.split()
        if words[2:3] == ["WRITE"] and words[4:5] == [place] and words[3].isdigit():
            process = int(words[3])
            if process not in {0, os.getpid()}:  # 0: of another container
                return process
    return None
