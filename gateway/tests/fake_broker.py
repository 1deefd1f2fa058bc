"""A broker without a network: it can lose confirmations, forget, refuse, and end the connection."""

from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.errors import TryAgain
from gateway.uplink.link import Arrived, Confirmed, LinkEvent, Lost, Publication
from gateway.uplink.ways import OneWay


class FakeLink:
    """See `gateway.uplink.link.Link`."""

    ends: datetime | None = None

    def __init__(self, broker: "FakeBroker") -> None:
        self._broker = broker
        self.events: list[LinkEvent] = []
        self.window = broker.window
        self.most_bytes = broker.most_bytes
        self.confirmed_to_broker: list[Arrived] = []
        self.unconfirmed = 0
        self.subscribed: list[str] = []
        self.closed = False
        self._token = 0

    def publish(self, publication: Publication) -> int:
        if self.closed:
            raise TryAgain("the connection broke")
        self._token += 1
        self.unconfirmed += 1
        self._broker.most_unconfirmed = max(self._broker.most_unconfirmed, self.unconfirmed)
        self._broker.published.append((publication.topic, publication.payload, publication.retain))
        if self._broker.poison is not None and self._broker.poison in publication.payload:
            self.lose("the broker hung up")
        elif self._broker.confirms:
            self.confirm(self._token)
        return self._token

    def confirm(self, token: int) -> None:
        self.unconfirmed -= 1
        self.events.append(Confirmed(token))

    def taken(self, arrived: Arrived) -> None:
        self.confirmed_to_broker.append(arrived)

    def subscribe(self, topics: Sequence[str]) -> None:
        self.subscribed += topics

    def take(self) -> list[LinkEvent]:
        taken, self.events = self.events, []
        return taken

    def close(self) -> None:
        self.closed = True

    def say(self, topic: str, payload: bytes, retained: bool = False) -> None:
        self.events.append(Arrived(topic, payload, retained))

    def lose(self, why: str = "the cable was pulled") -> None:
        self.closed = True
        self.events.append(Lost(why))


class FakeBroker(OneWay):
    """See `gateway.uplink.link.Broker`. `published` is everything, in order, over every connection."""

    def __init__(self, window: int = 65535) -> None:
        self.window = window
        self.most_bytes = 268_435_455
        self.published: list[tuple[str, bytes, bool]] = []
        self.links: list[FakeLink] = []
        self.attempts: list[float] = []
        self.confirms = True
        self.refuses: str | None = None
        self.poison: bytes | None = None
        self.most_unconfirmed = 0
        self.will: Publication | None = None
        self.monotonic: Callable[[], float] = lambda: 0.0

    @property
    def link(self) -> FakeLink:
        return self.links[-1]

    def connect(self, will: Publication | None, wake: Callable[[], None]) -> FakeLink:
        self.attempts.append(self.monotonic())
        if self.refuses:
            raise TryAgain(self.refuses)
        self.will = will
        self.links.append(FakeLink(self))
        return self.link
