"""One uplink's work, step by step: from the outbox through a small window to the broker, and confirmations back.

The outbox is the only queue: at most a window of messages is ever in flight, and whatever was not confirmed
is sent again, same number and same content. It owns no thread and no socket; `Uplink` drives it. What a
message looks like on the wire is the format's business.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from gateway import points
from gateway.clock import Clock
from gateway.errors import StoreError, TryAgain
from gateway.records import Message, Reading
from gateway.uplink.backoff import Backoff
from gateway.uplink.complaints import Complaints
from gateway.uplink.flight import Flight
from gateway.uplink.format import Format, Say
from gateway.uplink.hearing import Hearing
from gateway.uplink.link import Arrived, Broker, Confirmed, Link, Lost, Publication, Refused
from gateway.uplink.patience import Patience
from gateway.uplink.settings import UplinkSettings
from gateway.uplink.status import Counts, UplinkStatus
from gateway.uplink.store import Store

_log = logging.getLogger(__name__)

HEALTH_EVERY_S = 60.0
_STORE_PAUSE_S = 1.0
_LONGEST_WAIT_S = 30.0
# With acks and no receiver, readings stop at settings.unacknowledged; events may go on to other listeners.
_EVENTS_BEYOND = 256


class Delivery:
    """The state of one uplink. `step` does what can be done now; nothing in it waits but connecting itself."""

    def __init__(
        self,
        settings: UplinkSettings,
        store: Store,
        broker: Broker,
        clock: Clock,
        form: Format,
        *,
        health: Callable[[], dict[str, Any]],
        chance: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._name = settings.name
        self._store = store
        self._broker = broker
        self._clock = clock
        self._format = form
        self._health = health
        self._wake = wake
        self._backoff = Backoff(chance)
        self._flight = Flight()
        self._patience = Patience(settings.ack_timeout)
        self._complaints = Complaints()
        self._counts = Counts()
        self._hearing = Hearing(settings, store, form, self._flight, self._patience, self._counts)
        self._link: Link | None = None
        self._retry_at = 0.0
        self._health_at = 0.0
        self._connected_at = 0
        self._trouble: str | None = None

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
            self._say(link, self._hearing.due(now))
            self._again_if_silent()
            self._fill(link)
            self._report(link)
        except TryAgain as error:
            self._lose(str(error))
            return max(0.0, self._retry_at - self._clock.monotonic())
        except StoreError as error:
            self._complain(str(error))
            return _STORE_PAUSE_S
        return self._idle()

    def idle(self) -> bool:
        """Nothing is on its way and nothing is about to be: a good moment to stop."""
        busy = len(self._flight) or self._flight.again or self._store.due_in(self._name) is not None
        return self._link is None or not busy

    def goodbye(self) -> int | None:
        """Publish the format's last words; returns the token to wait for, None when there is nothing to wait for."""
        if self._link is None:
            return None
        token = None
        try:
            for publication in self._format.closing():
                token = self._link.publish(publication)
        except TryAgain:
            return None
        return token

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
        counts = self._counts
        return UplinkStatus(
            name=self._name,
            connected=self._link is not None,
            trouble=self._trouble,
            in_flight=len(self._flight),
            unconfirmed=len(self._store.undelivered(self._name)),
            sent=counts.sent,
            confirmed=counts.confirmed,
            sent_again=counts.sent_again,
            reconnects=max(0, counts.connects - 1),
            refused=counts.refused,
        )

    # --- the link -------------------------------------------------------------------------------------

    def _connect(self) -> Link | None:
        try:
            link = self._broker.connect(self._format.will(), self._wake)
        except TryAgain as error:
            self._retry_at = self._clock.monotonic() + self._backoff.failed(self._clock.monotonic())
            self._trouble = str(error)
            self._complain(str(error))
            return None
        self._link = link
        self._counts.connects += 1
        self._connected_at = self._clock.wall_ms()
        self._trouble = None
        self._complaints.forget()
        _log.info("uplink %s is connected to %s", self._name, self._settings.url)
        self._hearing.begin()
        link.subscribe(self._format.topics())
        for publication in self._format.opening():
            link.publish(publication)
        self._flight.begin(self._store.undelivered(self._name))
        self._counts.sent_again += len(self._flight.again)
        self._patience.begin(self._clock.monotonic())
        return link

    def _lose(self, why: str) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None
        self._flight.clear()
        self._trouble = why
        self._complain(why)
        self._retry_at = self._clock.monotonic() + self._backoff.failed(self._clock.monotonic())

    def _hear(self, link: Link) -> bool:
        """Take in what the broker said; False when the link is gone."""
        delivered = []
        lost = None
        for event in link.take():
            match event:
                case Confirmed(token):
                    self._backoff.succeeded()
                    seq = self._flight.confirm(token)
                    if seq is not None:
                        self._counts.confirmed += 1
                        delivered.append(seq)
                case Arrived():
                    self._receive(link, event)
                case Refused(_, why):
                    lost = f"Uplink {self._name}: the broker refuses what we publish ({why}): check its access rules."
                case Lost(why):
                    lost = f"Uplink {self._name}: {why}"
        if delivered:
            points.reach("confirm")
            if not self._settings.acks:
                self._store.mark_delivered(self._name, delivered)
                points.reach("mark")
        if lost:
            self._lose(lost)
        elif self._hearing.leave:
            self._leave(link, self._hearing.leave)
        return self._link is not None

    def _leave(self, link: Link, why: str) -> None:
        """End the connection on purpose, with the format's last words, and make another one soon."""
        for publication in self._format.closing():
            link.publish(publication)
        self._lose(f"Uplink {self._name} begins a new connection: {why}.")

    def _receive(self, link: Link, arrived: Arrived) -> None:
        try:
            self._say(link, self._hearing.take_in(arrived, self._clock.monotonic()))
        except ValueError as error:
            self._refuse(f"a message on {arrived.topic}: {error}")
        link.taken(arrived)

    def _say(self, link: Link, answers: Sequence[Say]) -> None:
        for publication, refused in answers:
            link.publish(publication)
            if refused:
                self._refuse(refused)

    def _refuse(self, what: str) -> None:
        self._counts.refused += 1
        self._complain(f"Uplink {self._name} ignored {what}.")

    # --- sending --------------------------------------------------------------------------------------

    def _fill(self, link: Link) -> None:
        """Events first, then what must go again, then the rest, as far as the window allows."""
        if self._hearing.held:
            return
        window = max(1, min(self._settings.window, link.window))
        again = self._flight.again
        if again:
            self._send_new(link, window, bulk_too=False)
            while again and len(self._flight) < window - self._reserved(window):
                message = self._store.message(self._name, again.popleft())
                if message is not None:
                    self._publish(link, message, again=True)
        if not again:
            self._send_new(link, window, bulk_too=True)

    def _send_new(self, link: Link, window: int, bulk_too: bool) -> None:
        room, bulk = self._room(window)
        if room > 0:
            for message in self._store.next_messages(self._name, room, bulk if bulk_too else 0):
                self._publish(link, message, again=_made_at(message) < self._connected_at)

    def _reserved(self, window: int) -> int:
        return min(self._settings.reserved, window - 1)

    def _room(self, window: int) -> tuple[int, int]:
        """How many messages may go now, and how many of them may be other than events."""
        room = window - len(self._flight)
        bulk = room - self._reserved(window)
        if self._settings.acks:
            waiting = len(self._store.undelivered(self._name))
            bulk = min(bulk, self._settings.unacknowledged - waiting)
            room = min(room, self._settings.unacknowledged + _EVENTS_BEYOND - waiting)
        return room, max(0, bulk)

    def _publish(self, link: Link, message: Message, again: bool) -> None:
        publications = self._format.encode(message, again)
        points.reach("publish.before")
        if publications:
            self._flight.sent(message.seq, [link.publish(publication) for publication in publications])
            self._counts.sent += 1
        elif not self._settings.acks:
            self._store.mark_delivered(self._name, [message.seq])  # this format has no word for it
        points.reach("publish.after")

    def _again_if_silent(self) -> None:
        if not self._settings.acks or self._flight.again:
            return
        waiting = [seq for seq in self._store.undelivered(self._name) if seq not in self._flight]
        again = self._patience.ask(waiting, self._clock.monotonic())
        self._flight.again.extend(again)
        self._counts.sent_again += len(again)

    def _report(self, link: Link) -> None:
        now = self._clock.monotonic()
        if now >= self._health_at:
            self._health_at = now + HEALTH_EVERY_S
            publication: Publication | None = self._format.health(self._health())
            if publication is not None:
                link.publish(publication)

    def _idle(self) -> float:
        now = self._clock.monotonic()
        waits = [_LONGEST_WAIT_S, self._health_at - now]
        if self._link is not None and self._room(min(self._settings.window, self._link.window))[1] > 0:
            due = self._store.due_in(self._name)
            waits += [] if due is None or self._hearing.held else [due]
        if self._settings.acks:
            waits.append(max(self._patience.due_in(now), 0.05))
        return max(0.0, min(waits))

    def _complain(self, sentence: str) -> None:
        self._complaints.say(sentence, self._clock.monotonic())


def _made_at(message: Message) -> int:
    """When the newest record of `message` was made, in Unix milliseconds."""
    newest = message.records[-1]
    return newest.at if isinstance(newest, Reading) else message.sent
