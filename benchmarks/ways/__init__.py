"""The programs that are measured: each does one thing in one way, in a process of its own."""
