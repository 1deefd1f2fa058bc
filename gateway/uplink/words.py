"""What an uplink says outside the numbering over one connection: births, discovery, answers. Pure.

A format may have hundreds of things to say when a connection begins, and a broker bounds how many publications
wait for its confirmation (MQTT 5, 3.3.4, Receive Maximum): they go in order, few at a time. Nothing here is
repeated: a new connection begins anew.
"""

from collections import deque
from collections.abc import Sequence

from gateway.uplink.link import Publication


class Words:
    """The queue of one connection. False when everything has left."""

    def __init__(self) -> None:
        self._waiting: deque[Publication] = deque()
        self._open: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def unconfirmed(self) -> int:
        """How many are on their way."""
        return len(self._open)

    def begin(self) -> None:
        """A new connection."""
        self._waiting.clear()
        self._open.clear()

    def add(self, publications: Sequence[Publication]) -> None:
        self._waiting.extend(publications)

    def next(self, window: int) -> Publication | None:
        """What may leave now; `window` publications may wait for a confirmation, of which QoS 0 has none."""
        return self._waiting[0] if self._waiting and self.may(self._waiting[0], window) else None

    def may(self, publication: Publication, window: int) -> bool:
        """Whether one more may be on its way."""
        return not publication.qos or len(self._open) < max(1, window)

    def left(self, publication: Publication, token: int) -> None:
        """It has left under `token`, whether it waited here or elsewhere."""
        if self._waiting and self._waiting[0] is publication:
            self._waiting.popleft()
        if publication.qos:
            self._open.add(token)

    def confirmed(self, token: int) -> None:
        self._open.discard(token)
