"""Sentences for the log, each once and again only after a while: an outage must not fill the card."""

import logging

_log = logging.getLogger(__name__)

REPEAT_S = 300.0
_MOST = 50


class Complaints:
    """What one uplink complained of, and when (monotonic seconds)."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def say(self, sentence: str, now: float) -> None:
        """Log `sentence` as a warning unless it was logged within the last five minutes."""
        if now - self._said.get(sentence, -REPEAT_S) < REPEAT_S:
            return
        if len(self._said) > _MOST:
            self._said.clear()
        self._said[sentence] = now
        _log.warning("%s", sentence)

    def forget(self) -> None:
        """All is well again: the next complaint is news."""
        self._said.clear()
