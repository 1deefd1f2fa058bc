"""One uplink's work, step by step: from the outbox through a small window to the broker, and confirmations back.

The outbox is the only queue: at most a window of messages is ever in flight, and whatever was not confirmed
is sent again, same number and same bytes. It owns no thread and no socket; `Uplink` drives it.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from gateway.clock import Clock
from gateway.errors import StoreError, TryAgain
from gateway.records import Message
from gateway.uplink import native
from gateway.uplink.backoff import Backoff
from gateway.uplink.link import Arrived, Broker, Confirmed, Link, Lost, Refused
from gateway.uplink.settings import UplinkSettings

_log = logging.getLogger(__name__)

HEALTH_EVERY_S = 60.0
REPEAT_LOG_S = 300.0
_PATIENCE_CAP_S = 300.0
_STORE_PAUSE_S = 1.0
_LONGEST_WAIT_S = 30.0
_MOST_AGAIN = 2000
# With acks and no receiver, readings stop at settings.unacknowledged; events may go on to other listeners.
_EVENTS_BEYOND = 256


class Store(Protocol):
    """What delivery asks of the outbox; see there for what each promises."""

    epoch: str

    def listen(self, wake: Callable[[], None]) -> None: ...
    def next_messages(self, uplink: str, room: int, bulk: int) -> list[Message]: ...
    def due_in(self, uplink: str) -> float | None: ...
    def undelivered(self, uplink: str) -> list[int]: ...
    def message(self, uplink: str, seq: int) -> Message | None: ...
    def mark_delivered(self, uplink: str, seqs: Sequence[int]) -> None: ...
    def acknowledge(self, uplink: str, epoch: str, upto: int) -> int | None: ...
    def resend(self, uplink: str, epoch: str, first: int, last: int) -> list[int]: ...


class UplinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How an uplink stands. `trouble` is a sentence for a technician; counts are since the process started."""

    name: str
    connected: bool
    trouble: str | None
    in_flight: int
    unconfirmed: int
    sent: int
    confirmed: int
    sent_again: int
    reconnects: int
    refused: int


class Delivery:
    """The state of one uplink. `step` does what can be done now; nothing in it waits but connecting itself."""

    def __init__(
        self,
        settings: UplinkSettings,
        store: Store,
        broker: Broker,
        clock: Clock,
        *,
        version: str,
        health: Callable[[], dict[str, Any]],
        chance: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._name = settings.name
        self._store = store
        self._broker = broker
        self._clock = clock
        self._version = version
        self._health = health
        self._wake = wake
        self._backoff = Backoff(chance)
        self._link: Link | None = None
        self._retry_at = 0.0
        self._in_flight: dict[int, int] = {}
        self._again: deque[int] = deque()
        self._health_at = 0.0
        self._progress_at = 0.0
        self._patience = settings.ack_timeout
        self._heard = True
        self._trouble: str | None = None
        self._logged: dict[str, float] = {}
        self._sent = self._confirmed = self._sent_again = self._connects = self._refused = 0

    # --- what its thread calls ------------------------------------------------------------------------

    def step(self) -> float:
        """Do what can be done now; returns the seconds after which to call again, if nothing wakes it before."""
        now = self._clock.monotonic()
        if self._link is None and now < self._retry_at:
            return self._retry_at - now
        try:
            link = self._link or self._connect()
            if link is None or not self._hear(link):
                return max(0.0, self._retry_at - self._clock.monotonic())
            self._again_if_silent()
            self._fill(link)
            self._report(link)
        except TryAgain as error:
            self._lose(str(error))
            return max(0.0, self._retry_at - self._clock.monotonic())
        except StoreError as error:
            self._say(str(error))
            return _STORE_PAUSE_S
        return self._idle()

    def idle(self) -> bool:
        """Nothing is on its way and nothing is about to be: a good moment to stop."""
        return self._link is None or not (self._in_flight or self._again or self._store.due_in(self._name) is not None)

    def goodbye(self) -> int | None:
        """Publish the retained status offline; returns the token to wait for, None when there is no link."""
        if self._link is None:
            return None
        try:
            return self._publish_status(self._link, "offline")
        except TryAgain:
            return None

    def confirmed(self, token: int) -> bool:
        """Whether the goodbye has arrived, or never will."""
        if self._link is None:
            return True
        events = self._link.take()
        return any(isinstance(e, Lost) or (isinstance(e, Confirmed) and e.token == token) for e in events)

    def close(self) -> None:
        """End the link politely."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def status(self) -> UplinkStatus:
        return UplinkStatus(
            name=self._name,
            connected=self._link is not None,
            trouble=self._trouble,
            in_flight=len(self._in_flight),
            unconfirmed=len(self._store.undelivered(self._name)),
            sent=self._sent,
            confirmed=self._confirmed,
            sent_again=self._sent_again,
            reconnects=max(0, self._connects - 1),
            refused=self._refused,
        )

    # --- the link -------------------------------------------------------------------------------------

    def _connect(self) -> Link | None:
        try:
            link = self._broker.connect((self._topic("status"), self._status("offline")), self._wake)
        except TryAgain as error:
            self._retry_at = self._clock.monotonic() + self._backoff.failed(self._clock.monotonic())
            self._trouble = str(error)
            self._say(str(error))
            return None
        self._link = link
        self._connects += 1
        self._trouble = None
        self._logged.clear()
        _log.info("uplink %s is connected to %s", self._name, self._settings.url)
        self._publish_status(link, "online")
        link.subscribe([self._topic("acks"), self._topic("replay")])
        self._again = deque(self._store.undelivered(self._name))
        self._sent_again += len(self._again)
        self._progress_at = self._clock.monotonic()
        self._patience = self._settings.ack_timeout
        self._heard = True
        return link

    def _lose(self, why: str) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None
        self._in_flight.clear()
        self._again.clear()
        self._trouble = why
        self._say(why)
        self._retry_at = self._clock.monotonic() + self._backoff.failed(self._clock.monotonic())

    def _hear(self, link: Link) -> bool:
        """Take in what the broker said; False when the link is gone."""
        delivered = []
        lost = None
        for event in link.take():
            match event:
                case Confirmed(token):
                    self._backoff.succeeded()
                    seq = self._in_flight.pop(token, None)
                    if seq is not None:
                        self._confirmed += 1
                        delivered.append(seq)
                case Arrived():
                    self._receive(event)
                case Refused(_, why):
                    lost = f"Uplink {self._name}: the broker refuses what we publish ({why}): check its access rules."
                case Lost(why):
                    lost = f"Uplink {self._name}: {why}"
        if delivered and not self._settings.acks:
            self._store.mark_delivered(self._name, delivered)
        if lost:
            self._lose(lost)
        return lost is None

    def _topic(self, kind: str) -> str:
        return native.topic(self._settings.site, self._settings.gateway, kind)

    def _status(self, state: Any) -> bytes:
        return native.encode_status(state, self._clock.wall_ms(), self._version, self._clock.boot)

    def _publish_status(self, link: Link, state: str) -> int:
        return link.publish(self._topic("status"), self._status(state), retain=True)

    # --- sending --------------------------------------------------------------------------------------

    def _fill(self, link: Link) -> None:
        """Events first, then what must go again, then the rest, as far as the window allows."""
        window = max(1, min(self._settings.window, link.window))
        if self._again:
            self._send_new(link, window, bulk_too=False)
            while self._again and len(self._in_flight) < window - self._reserved(window):
                message = self._store.message(self._name, self._again.popleft())
                if message is not None:
                    self._publish(link, message)
        if not self._again:
            self._send_new(link, window, bulk_too=True)

    def _send_new(self, link: Link, window: int, bulk_too: bool) -> None:
        room, bulk = self._room(window)
        if room > 0:
            for message in self._store.next_messages(self._name, room, bulk if bulk_too else 0):
                self._publish(link, message)

    def _reserved(self, window: int) -> int:
        return min(self._settings.reserved, window - 1)

    def _room(self, window: int) -> tuple[int, int]:
        """How many messages may go now, and how many of them may be other than events."""
        room = window - len(self._in_flight)
        bulk = room - self._reserved(window)
        if self._settings.acks:
            waiting = len(self._store.undelivered(self._name))
            bulk = min(bulk, self._settings.unacknowledged - waiting)
            room = min(room, self._settings.unacknowledged + _EVENTS_BEYOND - waiting)
        return room, max(0, bulk)

    def _publish(self, link: Link, message: Message) -> None:
        kind, payload = native.encode(message)
        self._in_flight[link.publish(self._topic(kind), payload)] = message.seq
        self._sent += 1

    def _again_if_silent(self) -> None:
        """With acks: when the receiver makes no progress, send what it has not acknowledged again.

        While it says nothing at all, only the oldest message goes, as a question: nobody may be there.
        """
        if not self._settings.acks or self._again:
            return
        now = self._clock.monotonic()
        on_the_way = set(self._in_flight.values())
        waiting = [seq for seq in self._store.undelivered(self._name) if seq not in on_the_way]
        if not waiting:
            self._progress_at = now
        elif now - self._progress_at >= self._patience:
            self._again.extend(waiting if self._heard else [min(waiting)])
            self._sent_again += len(self._again)
            self._heard = False
            self._patience = min(self._patience * 2, _PATIENCE_CAP_S)
            self._progress_at = now

    def _report(self, link: Link) -> None:
        now = self._clock.monotonic()
        if now >= self._health_at:
            self._health_at = now + HEALTH_EVERY_S
            link.publish(self._topic("health"), native.encode_health(self._clock.wall_ms(), self._health()))

    def _idle(self) -> float:
        now = self._clock.monotonic()
        waits = [_LONGEST_WAIT_S, self._health_at - now]
        if self._link is not None and self._room(min(self._settings.window, self._link.window))[1] > 0:
            due = self._store.due_in(self._name)
            waits += [] if due is None else [due]
        if self._settings.acks:
            waits.append(max(self._progress_at + self._patience - now, 0.05))
        return max(0.0, min(waits))

    # --- receiving ------------------------------------------------------------------------------------

    def _receive(self, arrived: Arrived) -> None:
        address = native.address(arrived.topic)
        kind = address.kind if address else ""
        try:
            if arrived.retained:
                raise ValueError("it is retained, and a request must not be")
            if kind == "acks":
                self._acknowledged(native.parse_ack(arrived.payload))
            elif kind == "replay":
                self._replay(native.parse_replay(arrived.payload))
            else:
                raise ValueError("nothing is expected there")
        except ValueError as error:
            self._refused += 1
            self._say(f"Uplink {self._name} ignored a message on {arrived.topic}: {error}.")

    def _acknowledged(self, ack: native.Ack) -> None:
        settled = self._store.acknowledge(self._name, ack.epoch, ack.seq) if self._settings.acks else 0
        if settled is None:
            raise ValueError(f"it acknowledges {ack.seq} of the epoch {ack.epoch}, which was never sent")
        self._heard = True
        if settled:
            self._again = deque(seq for seq in self._again if seq > ack.seq)
            self._progress_at = self._clock.monotonic()
            self._patience = self._settings.ack_timeout

    def _replay(self, asked: native.Replay) -> None:
        waiting = {*self._again, *self._in_flight.values()}
        kept = self._store.resend(self._name, asked.epoch, asked.first, asked.last)
        fresh = [seq for seq in kept if seq not in waiting][: _MOST_AGAIN - len(self._again)]
        self._again.extend(fresh)
        self._sent_again += len(fresh)

    def _say(self, sentence: str) -> None:
        """Log a sentence once, and again only after a while: an outage must not fill the card."""
        now = self._clock.monotonic()
        if now - self._logged.get(sentence, -REPEAT_LOG_S) >= REPEAT_LOG_S:
            if len(self._logged) > 50:
                self._logged.clear()
            self._logged[sentence] = now
            _log.warning("%s", sentence)
