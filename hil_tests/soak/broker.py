"""A broker and a receiver in this process: what is published is handed on, confirmed and acknowledged, or is not.

It stands for mosquitto and `gewu receive` where days pass in seconds; against the real ones the same uplink is
tested elsewhere (docs/faults.md, C). It reads no more of a payload than its number.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.errors import TryAgain
from gateway.intervals import Intervals
from gateway.uplink.compact import MAGIC
from gateway.uplink.link import Arrived, Confirmed, LinkEvent, Lost, Publication
from gateway.uplink.native import encode_ack
from hil_tests.soak.world import World

_SEQ = re.compile(rb'"seq":(\d+)')
_NUMBERED = ("readings", "events", "gaps", "corrections")
_MISSED_AFTER_S = 30.0  # 1.5 keep-alives of 20 s
_ACK_EVERY_S = 1.0


class MemoryBroker:
    """See `gateway.uplink.link.Broker`. `hand_on(kind, payload)` gets what the receiver has seen."""

    fallback = False

    def __init__(self, world: World, hand_on: Callable[[str, bytes], None]) -> None:
        self.world, self.hand_on = world, hand_on
        self.link: MemoryLink | None = None
        self.connects = 0
        self.epoch = ""
        self.received = Intervals()
        self.acknowledged = 0

    def better(self) -> bool:
        return False

    def connect(self, will: Publication | None, wake: Callable[[], None]) -> "MemoryLink":
        if self.world.holds("refused") or self.world.holds("black hole"):
            raise TryAgain("the broker of the soak is not there")
        self.connects += 1
        self.link = MemoryLink(self, wake)
        return self.link

    def look(self) -> None:
        """What the broker and the receiver do by themselves, called whenever time has passed."""
        if self.link is not None and not self.link.closed:
            self.link.look()


class MemoryLink:
    """See `gateway.uplink.link.Link`."""

    ends: datetime | None = None
    window = 65535
    most_bytes = 268_435_455

    def __init__(self, broker: MemoryBroker, wake: Callable[[], None]) -> None:
        self._broker, self._world, self._wake = broker, broker.world, wake
        self._events: list[LinkEvent] = []
        self._token = 0
        self._topic = ""
        self._silent_since: float | None = None
        self._ack_at = self._world.now
        self._told = 0
        self.closed = False

    def publish(self, publication: Publication) -> int:
        if self.closed:
            raise TryAgain("the connection broke")
        self._token += 1
        if self._world.holds("black hole"):
            return self._token  # on its way to nobody
        kind = publication.topic.rsplit("/", 1)[1]
        if kind in _NUMBERED and not self._world.holds("forgetful"):
            self._broker.received.add(*(2 * (_seq(publication.payload),)))
            self._broker.hand_on(kind, publication.payload)
        if not self._world.holds("unconfirmed"):
            self._tell(Confirmed(self._token))
        return self._token

    def look(self) -> None:
        world = self._world
        if world.holds("flapping") or world.holds("refused"):
            self.lose("the broker ended the connection", silent=False)
            world.until["flapping"] = 0.0
        elif world.holds("black hole") or world.holds("unconfirmed"):
            self._silent_since = self._silent_since or world.now
            if world.now - self._silent_since > _MISSED_AFTER_S:
                self.lose("the broker does not answer", silent=True)
        else:
            self._silent_since = None
            self._acknowledge()

    def lose(self, why: str, *, silent: bool) -> None:
        """The connection is gone; the gateway finds it out."""
        self.closed = True
        self._tell(Lost(why, silent=silent))

    def taken(self, arrived: Arrived) -> None:
        """What came down is dealt with."""

    def subscribe(self, topics: Sequence[str]) -> None:
        self._topic = next(topic for topic in topics if topic.endswith("/acks"))

    def take(self) -> list[LinkEvent]:
        taken, self._events = self._events, []
        return taken

    def close(self) -> None:
        self.closed = True

    def _acknowledge(self) -> None:
        solid = self._broker.received.solid()
        if self._topic and solid > self._told and self._world.now >= self._ack_at:
            self._told, self._ack_at = solid, self._world.now + _ACK_EVERY_S
            self._tell(Arrived(self._topic, encode_ack(self._broker.epoch, solid), retained=False))

    def _tell(self, event: LinkEvent) -> None:
        self._events.append(event)
        self._wake()


def _seq(payload: bytes) -> int:
    if not payload.startswith(MAGIC):
        found = _SEQ.search(payload)
        assert found is not None, "every numbered message has a number"
        return int(found[1])
    number = shift = 0
    for octet in payload[3:13]:  # magic and version come first; LEB128
        number |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            break
    return number
