"""Faults that strike a broker under a stream of events: what, when, and what became of it."""
