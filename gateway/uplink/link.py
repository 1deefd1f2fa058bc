"""What delivery asks of a connection to a broker, whatever library makes it. Types only.

A link lives from one successful connect to its loss; nothing is queued in it beyond its own window.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol


class Publication(NamedTuple):
    """One MQTT PUBLISH. At QoS 0 it counts as confirmed when it has been handed to the network."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class Confirmed(NamedTuple):
    """The broker has taken the publication with this token (PUBACK)."""

    token: int


class Refused(NamedTuple):
    """The broker answered a publication with an error; the link stays. `for_good`: it will never take this one."""

    token: int
    why: str
    for_good: bool = False


class Arrived(NamedTuple):
    """A message on a subscribed topic; `token` is what `Link.taken` confirms it by."""

    topic: str
    payload: bytes
    retained: bool
    token: int = 0


class Lost(NamedTuple):
    """The link is gone; `why` is a sentence for a technician.

    `too_large`: the broker named this as the reason. `silent`: nobody ended it, the broker just answered no more.
    """

    why: str
    too_large: bool = False
    silent: bool = False


LinkEvent = Confirmed | Refused | Arrived | Lost


class Link(Protocol):
    """One live connection."""

    @property
    def window(self) -> int:
        """How many publications the broker lets wait for a confirmation."""
        ...

    @property
    def most_bytes(self) -> int:
        """The largest packet that the broker takes."""
        ...

    def publish(self, publication: Publication) -> int:
        """Send; returns the token of its confirmation. Raises TryAgain when the link is gone."""
        ...

    def taken(self, arrived: Arrived) -> None:
        """What arrived is dealt with: only now is it confirmed to the broker. Safe on a link that is gone."""
        ...

    def subscribe(self, topics: Sequence[str]) -> None:
        """Ask for topics at QoS 1. Raises TryAgain when the link is gone."""
        ...

    @property
    def ends(self) -> datetime | None:
        """When the broker's certificate ends; None without TLS."""
        ...

    def take(self) -> list[LinkEvent]:
        """What has happened since the last call, in order."""
        ...

    def close(self) -> None:
        """Say goodbye (no last will) and end; safe on a link that is gone."""
        ...


class Broker(Protocol):
    """Where links come from."""

    def connect(self, will: Publication | None, wake: Callable[[], None]) -> Link:
        """Connect with the last will `will`, or raise TryAgain with a sentence.

        `wake` is called from any thread when `take` will have something.
        """
        ...

    @property
    def fallback(self) -> bool:
        """Whether the last link was made over the second way."""
        ...

    def better(self) -> bool:
        """Whether a better way than that of the last link is open again: a reason to connect anew."""
        ...
