"""What an uplink says beside the numbered messages: a format's words first, then what other parts want said.

Everything keeps the broker's window and is counted. It numbers nothing and repeats nothing.
"""

from collections import deque

from gateway.errors import GewuError
from gateway.uplink.budget import Budget
from gateway.uplink.link import Link, Publication
from gateway.uplink.words import Words

# Wait in memory for a connection: a reply that is too old for them is too old for its asker.
_MOST_SAYINGS = 256


class Speaking:
    """The words of one uplink; `say` may be called from any thread, the rest belongs to the uplink's own."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._words = Words()
        self._sayings: deque[Publication] = deque(maxlen=_MOST_SAYINGS)

    @property
    def opening(self) -> bool:
        """Whether words wait that come before anything numbered."""
        return bool(self._words)

    @property
    def busy(self) -> bool:
        """Whether anything waits to be said."""
        return bool(self._words or self._sayings)

    @property
    def unconfirmed(self) -> int:
        """Publications that wait for the broker's confirmation."""
        return self._words.unconfirmed

    def begin(self) -> None:
        """A new connection."""
        self._words.begin()

    def say(self, publication: Publication) -> None:
        """Say this once there is a connection; the 256 latest wait."""
        self._sayings.append(publication)

    def publish(self, link: Link, in_flight: int, *publications: Publication) -> None:
        """Say these now, or as soon as the window allows. Raises TryAgain and StoreError."""
        self._words.add(publications)
        self.speak(link, in_flight)

    def speak(self, link: Link, in_flight: int) -> None:
        """Say what waits, as far as the window beside `in_flight` messages allows."""
        window = link.window - in_flight
        while (publication := self._words.next(window)) is not None:
            self._utter(link, publication)
        while self._sayings and not self._words and self._words.may(self._sayings[0], window):
            saying = self._sayings.popleft()  # before anything: a full queue loses its oldest to whoever adds one
            try:
                self._utter(link, saying)
            except GewuError:
                self._sayings.appendleft(saying)
                raise

    def confirmed(self, token: int) -> None:
        """The broker took one of them, if the token is of one."""
        self._words.confirmed(token)

    def _utter(self, link: Link, publication: Publication) -> None:
        self._budget.pay(publication)
        self._words.left(publication, link.publish(publication))
