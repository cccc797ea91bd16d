"""Runs the command line: `python -m event_brokers`."""

from event_brokers.cli import main

if __name__ == "__main__":
    main()
