"""What a receiver asks of whatever keeps its messages: one batch at a time, safe when the call returns. Types only."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from gateway.receiver.ledger import Ledger
from gateway.receiver.taken import Status, Taken


class Batch(NamedTuple):
    """New messages in the order of their arrival, those that were here already, and gateways' words on themselves."""

    fresh: Sequence[Taken]
    again: Sequence[Taken]
    statuses: Sequence[Status]


class Refused(NamedTuple):
    """A message that the store will never take, and why."""

    taken: Taken
    why: str


class Keep(Protocol):
    """A folder or a database; one receiver at a time writes into it."""

    def load(self) -> Ledger:
        """The ledger of all that is kept. Raises StoreError."""
        ...

    def states(self) -> dict[str, str]:
        """The last known state of each gateway."""
        ...

    def keep(self, batch: Batch) -> Sequence[Refused]:
        """Put all of it on disk, or none; returns what can never be kept. Raises TryAgain when the same call may
        work later, StoreError when not."""
        ...

    def report(self, document: dict[str, Any]) -> None:
        """Keep the report beside what it is about."""
        ...

    def records(self, stream: str) -> Iterator[dict[str, Any]]:
        """Every record of readings, events or cases, in the shape of `gewu receive export`, corrected. Raises
        StoreError."""
        ...

    def close(self) -> None: ...
