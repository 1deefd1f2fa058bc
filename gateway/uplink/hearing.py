"""What comes down an uplink, acted on: acknowledgements, replays, and what other parts of the gateway wait for.

It refuses by raising ValueError with the reason, and then nothing has changed.
"""

from collections.abc import Callable, Sequence

from gateway.uplink.flight import Flight
from gateway.uplink.format import Acknowledged, Format, Handed, Heard, Hold, Leave, ReplayAsked, Say
from gateway.uplink.link import Arrived
from gateway.uplink.patience import Patience
from gateway.uplink.settings import UplinkSettings
from gateway.uplink.status import Counts
from gateway.uplink.store import Store

_MOST_AGAIN = 2000
Hand = Callable[[str, bytes], None]
"""Takes the rest of the topic and the payload; raises ValueError to refuse, StoreError when it cannot be kept."""
HearTime = Callable[[int, int, int], None]
"""Takes what the peer's clock showed (Unix ms) at some moment between two of ours (monotonic ms): sent, and now."""


class Hearing:
    """The ear of one uplink. `held`: the peer wants nothing numbered now; `leave`: why this connection must end."""

    def __init__(
        self,
        settings: UplinkSettings,
        store: Store,
        form: Format,
        flight: Flight,
        patience: Patience,
        counts: Counts,
    ) -> None:
        self._settings = settings
        self._store = store
        self._format = form
        self._flight = flight
        self._patience = patience
        self._counts = counts
        self.held = False
        self.leave: str | None = None
        self.hands: dict[str, Hand] = {}
        self.hear_time: HearTime | None = None

    def begin(self) -> None:
        """A new connection: nothing holds it until its peer says so."""
        self.held = False
        self.leave = None

    def take_in(self, arrived: Arrived, now: float) -> Sequence[Say]:
        """Act on one message; returns what is to be published at once. Raises ValueError and StoreError."""
        return self._act(self._format.hear(arrived), now)

    def due(self, now: float) -> Sequence[Say]:
        """Act on what the format wants by itself; as `take_in`."""
        return self._act(self._format.due(), now)

    def _act(self, wanted: Sequence[Heard], now: float) -> list[Say]:
        answers: list[Say] = []
        for heard in wanted:
            match heard:
                case Acknowledged(epoch, seq, at):
                    self._acknowledged(epoch, seq, now)
                    self._time_said(at, self._flight.left(seq), now)
                case ReplayAsked(epoch, first, last):
                    kept = self._store.resend(self._settings.name, epoch, first, last)
                    self._counts.sent_again += self._flight.repeat(kept, _MOST_AGAIN)
                case Handed(kind, name, payload):
                    self._hand(kind, name, payload)
                case Say():
                    answers.append(heard)
                case Hold(on):
                    self.held = on
                case Leave(why):
                    self.leave = why
        return answers

    def _acknowledged(self, epoch: str, seq: int, now: float) -> None:
        settled = self._store.acknowledge(self._settings.name, epoch, seq) if self._settings.acks else 0
        if settled is None:
            raise ValueError(f"it acknowledges {seq} of the epoch {epoch}, which was never sent")
        self._patience.heard()
        if settled:
            self._flight.settle(seq)
            self._patience.progress(now)

    def _time_said(self, at: int | None, left: float | None, now: float) -> None:
        """Only an answer to what has just left: an acknowledgement that a broker kept for us is of any age."""
        if self.hear_time is not None and at is not None and left is not None and self._settings.tells_time:
            self.hear_time(at, int(left * 1000), int(now * 1000))

    def _hand(self, kind: str, name: str, payload: bytes) -> None:
        if kind not in self.hands:
            raise ValueError("nothing is expected there")
        self.hands[kind](name, payload)
