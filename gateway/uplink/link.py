"""What delivery asks of a connection to a broker, whatever library makes it. Types only.

A link lives from one successful connect to its loss; nothing is queued in it beyond its own window.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol


class Confirmed(NamedTuple):
    """The broker has taken the publication with this token (PUBACK)."""

    token: int


class Refused(NamedTuple):
    """The broker answered a publication with an error; the link stays."""

    token: int
    why: str


class Arrived(NamedTuple):
    """A message on a subscribed topic."""

    topic: str
    payload: bytes
    retained: bool


class Lost(NamedTuple):
    """The link is gone; `why` is a sentence for a technician."""

    why: str


LinkEvent = Confirmed | Refused | Arrived | Lost


class Link(Protocol):
    """One live connection."""

    @property
    def window(self) -> int:
        """How many publications the broker lets wait for a confirmation."""
        ...

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> int:
        """Send at QoS 1; returns the token of its confirmation. Raises TryAgain when the link is gone."""
        ...

    def subscribe(self, topics: Sequence[str]) -> None:
        """Ask for topics at QoS 1. Raises TryAgain when the link is gone."""
        ...

    def take(self) -> list[LinkEvent]:
        """What has happened since the last call, in order."""
        ...

    def close(self) -> None:
        """Say goodbye (no last will) and end; safe on a link that is gone."""
        ...


class Broker(Protocol):
    """Where links come from."""

    def connect(self, will: tuple[str, bytes], wake: Callable[[], None]) -> Link:
        """Connect with a retained last will (topic, payload), or raise TryAgain with a sentence.

        `wake` is called from any thread when `take` will have something.
        """
        ...
