"""What a wire format is to an uplink: records in, publications out, what arrives taken apart. Types only.

Delivery owns order, window, repetition and confirmation; a format owns topics and bytes, and whatever the
peer's protocol wants said at the beginning and at the end of a connection. A format does no input or output.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from gateway.records import Message
from gateway.uplink.link import Arrived, Publication

__all__ = ["Acknowledged", "Format", "Handed", "Heard", "Hold", "Leave", "Publication", "ReplayAsked", "Say"]


class Acknowledged(NamedTuple):
    """A receiver has every message of `epoch` up to `seq`; `at` (Unix ms) is what its clock showed, if it said so."""

    epoch: str
    seq: int
    at: int | None = None


class ReplayAsked(NamedTuple):
    """Somebody asks for the messages `first` to `last` of `epoch` again."""

    epoch: str
    first: int
    last: int


class Handed(NamedTuple):
    """Something for another part of the gateway: `kind` is `inbox` or `commands`, `name` the rest of the topic."""

    kind: str
    name: str
    payload: bytes


class Say(NamedTuple):
    """Publish this now, outside the numbering: a rebirth, an answer.

    `refused` is a sentence's second half when this answers a request that is refused: it is counted and logged.
    """

    publication: Publication
    refused: str = ""


class Hold(NamedTuple):
    """Send nothing numbered while `on` is true: the peer's primary host is away."""

    on: bool


class Leave(NamedTuple):
    """End this connection on purpose (`closing`, no will) and make another: the peer's rules want it."""

    why: str


Heard = Acknowledged | ReplayAsked | Handed | Say | Hold | Leave


class Format(Protocol):
    """One uplink's wire format, for the life of the uplink; `opening` begins each connection."""

    def will(self) -> Publication | None:
        """The last will of the next connection."""
        ...

    def topics(self) -> Sequence[str]:
        """What to subscribe to, at QoS 1."""
        ...

    def opening(self) -> Sequence[Publication]:
        """What to say first on a new connection (online, births), in order."""
        ...

    def closing(self) -> Sequence[Publication]:
        """What to say last on a connection that ends on purpose."""
        ...

    def encode(self, message: Message, again: bool) -> Sequence[Publication]:
        """The publications of a numbered message, in order; it is delivered when all of them are.

        An empty answer means that this format has no word for it: delivered at once. `again` is true when it
        was sent before, or waited through an outage.
        """
        ...

    def health(self, state: dict[str, Any]) -> Publication | None:
        """The minute's health message, if this format has one."""
        ...

    def hear(self, arrived: Arrived) -> Sequence[Heard]:
        """Take apart what came on one of `topics`. Raises ValueError with the reason when it is refused."""
        ...

    def due(self) -> Sequence[Heard]:
        """What the format wants by itself, asked in every step of a live connection, from right after `opening`:
        to hold, to say something, to have what may have been lost sent again. Mostly nothing, and cheap.
        """
        ...
