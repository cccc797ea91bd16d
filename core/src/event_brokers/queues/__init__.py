"""Where events wait: what a queue does, the one in memory, and the one on disk."""
