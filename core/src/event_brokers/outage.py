"""One log line when something begins to fail, and one when it works again."""

from __future__ import annotations

import logging
import time

from event_brokers.log import logger


class Outage:
    """Remembers since when something fails, and logs no failure twice.

    Parameters:
        name: what the log lines begin with, such as the broker's type.

    Attributes:
        failures: attempts that have failed since it began, or since something moved.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._since: float | None = None
        self._kind: object = None
        self.failures = 0

    @property
    def is_on(self) -> bool:
        """Whether the latest attempt has failed."""
        return self._since is not None

    def failed(self, kind: object, sentence: str, level: int = logging.WARNING) -> bool:
        """Count a failure; log it if it is the first of its kind, and return whether it was.

        Parameters:
            kind: what makes it another failure than the one before.
            sentence: what to log.
            level: of the log line.
        """
        is_news = self._since is None or kind != self._kind
        if self._since is None:
            self._since = time.monotonic()
        self._kind = kind
        self.failures += 1
        if is_news:
            logger.log(level, "%s: %s", self._name, sentence)
        return is_news

    def moved(self) -> None:
        """Begin to count failures anew: some of what was tried has succeeded."""
        self.failures = 0

    def recovered(self, words: str, more: str = "") -> None:
        """End the outage, if there is one, and log how long it lasted.

        Parameters:
            words: what happened: "recovered".
            more: what stands behind the time: " with 3 events waiting".
        """
        if self._since is not None:
            seconds = time.monotonic() - self._since
            logger.warning("%s: %s after %.1f s%s", self._name, words, seconds, more)
        self._since, self._kind, self.failures = None, None, 0
