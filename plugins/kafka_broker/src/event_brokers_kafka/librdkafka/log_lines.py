"""What librdkafka logs, on the project's logger."""

from __future__ import annotations

from event_brokers.plugin import logger


class LogLines:
    """Takes librdkafka's lines, as a logger of the standard library would.

    They are for a developer: what a person must know is said in words, once for each outage, by who
    signs in. Nothing that librdkafka logs unless `debug` is set holds a password or a record.
    """

    def log(self, _level: int, text: str, *values: object) -> None:
        """Log a line.

        Parameters:
            text: with a place for each of the values.
            values: the kind of the line, the client's name, and the line.
        """
        logger.debug(f"kafka: librdkafka: {text}", *values)
