"""Where events go: a server, a file, or nobody; made empty for each turn, and read after it."""

from benchmarks.places.place import Place, missing, opened

__all__ = ["Place", "missing", "opened"]
