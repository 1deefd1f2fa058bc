"""What a sink's delivery asks of the place that it writes to. Types only."""

from collections.abc import Sequence
from typing import Protocol

from gateway.errors import TryAgain
from gateway.records import Message


class NotNow(TryAgain):
    """The place wants to be left alone for `after` seconds."""

    def __init__(self, message: str, after: float) -> None:
        super().__init__(message)
        self.after = after


class Unwanted(Exception):
    """The place took what was offered for wrong, and not itself for unwell: the same again may never be taken."""


class Target(Protocol):
    """Where messages go. One thread uses it."""

    def write(self, messages: Sequence[Message]) -> None:
        """Return once all of them are safe there. The same message again must do no harm.

        Raises TryAgain when the place cannot take anything now, Unwanted when it refuses these.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds open."""
        ...
