"""What a wire format is to an uplink: records in, publications out, what arrives taken apart. Types only.

Delivery owns order, window, repetition and confirmation; a format owns topics and bytes, and whatever the
peer's protocol wants said at the beginning and at the end of a connection. A format does no input or output.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from gateway.records import Message
from gateway.uplink.link import Arrived


class Publication(NamedTuple):
    """One MQTT PUBLISH. At QoS 0 it counts as confirmed when it has been handed to the network."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class Acknowledged(NamedTuple):
    """A receiver has every message of `epoch` up to `seq`."""

    epoch: str
    seq: int


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
    """Publish this now, outside the numbering: a rebirth, an answer."""

    publication: Publication


class Hold(NamedTuple):
    """Send nothing numbered while `on` is true: the peer's primary host is away."""

    on: bool


Heard = Acknowledged | ReplayAsked | Handed | Say | Hold


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
