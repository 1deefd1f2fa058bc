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
from gateway.uplink.backoff import Backoff
from gateway.uplink.budget import Budget
from gateway.uplink.bulletin import Bulletin
from gateway.uplink.complaints import Complaints
from gateway.uplink.flight import Flight
from gateway.uplink.format import Format, Say
from gateway.uplink.hearing import Hand, Hearing, HearTime
from gateway.uplink.link import Arrived, Broker, Confirmed, Link, Lost, Publication, Refused
from gateway.uplink.patience import Patience
from gateway.uplink.sender import Sender
from gateway.uplink.settings import UplinkSettings
from gateway.uplink.speaking import Speaking
from gateway.uplink.stall import Stall
from gateway.uplink.status import Counts, UplinkStatus
from gateway.uplink.store import Store
from gateway.uplink.upkeep import Upkeep

_log = logging.getLogger(__name__)

HEALTH_EVERY_S = 60.0
_STORE_PAUSE_S = 1.0
_LONGEST_WAIT_S = 30.0
# When power comes back to a village, all its gateways start at once: they spread their first connections.
_JUST_BOOTED_MS = 60_000
_SPREAD_S = 5.0


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
        self._backoff = Backoff(chance, settings.waits)
        self._flight = Flight()
        self._patience = Patience(settings.ack_timeout)
        self._stall = Stall(settings.keepalive)
        self._complaints = Complaints()
        self._counts = Counts()
        note = f"uplink.{self._name}.month"
        self._budget = Budget(
            settings.max_bytes_per_second,
            settings.max_bytes_per_month,
            lambda: store.note(note),
            lambda value: store.set_note(note, value),
        )
        bulletin = Bulletin(self._name, store, clock)
        self._upkeep = Upkeep(settings, clock, self._budget, bulletin)
        self._hearing = Hearing(settings, store, form, self._flight, self._patience, self._counts)
        self._sender = Sender(settings, store, form, self._flight, self._budget, bulletin, self._counts)
        self._speaking = Speaking(self._budget)
        self._link: Link | None = None
        self._retry_at = 0.0
        if clock.mono_ms() < _JUST_BOOTED_MS:
            self._retry_at = clock.monotonic() + _SPREAD_S * chance()
        self._health_at = 0.0
        self._trouble: str | None = None

    # --- what its thread calls ------------------------------------------------------------------------

    def step(self) -> float:
        """Do what can be done now; returns the seconds after which to call again, if nothing wakes it before."""
        try:
            self._upkeep.look(self._link)
            return self._step(self._clock.monotonic())
        except TryAgain as error:
            self._break_off(str(error))
            return self._until_retry()
        except StoreError as error:
            self._complain(str(error))
            return _STORE_PAUSE_S

    def _step(self, now: float) -> float:
        if self._link is None and now < self._retry_at:
            return self._until_retry()
        link = self._link or self._connect()
        if link is None or not self._hear(link):
            return self._until_retry()
        self._answer(link, self._hearing.due(now))
        self._speaking.speak(link, len(self._flight))
        self._again_if_silent()
        if not self._hearing.held and not self._speaking.opening:
            self._sender.fill(link, now, self._speaking.unconfirmed)
        self._stall.look(bool(self._flight or self._speaking.opening), now)
        self._report(link)
        return self._idle(link)

    def hand(self, kind: str, to: Hand) -> None:
        """Hand what comes down as `kind` (`inbox`, `commands`) to `to`, in this uplink's thread."""
        self._hearing.hands[kind] = to

    def hear_time(self, tell: HearTime) -> None:
        """Tell what the clock of the level above shows, where this uplink may be believed."""
        self._hearing.hear_time = tell

    def say(self, publication: Publication) -> None:
        """Publish something outside the numbering, at QoS 1, now or when there is a connection. From any thread."""
        self._speaking.say(publication)
        self._wake()

    def certificate_days(self) -> dict[str, float]:
        """Days left of each certificate of this uplink: `ca`, `cert`, `broker`."""
        return dict(self._upkeep.days_left)

    def idle(self) -> bool:
        """Nothing is on its way and nothing is about to be: a good moment to stop."""
        sending = self._flight or self._flight.again or self._sender.ready
        busy = self._speaking.busy or sending or self._store.due_in(self._name) is not None
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
        try:
            self._budget.close()
        except StoreError as error:
            self._complain(str(error))  # counted a little too much from now on

    def status(self) -> UplinkStatus:
        counts = self._counts
        return UplinkStatus(
            name=self._name,
            connected=self._link is not None,
            trouble=self._trouble or ("The month's bytes are spent: only alarms go." if self._budget.spent() else None),
            fallback=self._link is not None and self._broker.fallback,
            month_bytes=self._budget.month_bytes,
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
            self._trouble = str(error)
            self._complain(str(error))
            self._back_off()
            return None
        now = self._clock.monotonic()
        self._link = link
        self._counts.connects += 1
        self._trouble = None
        self._complaints.forget()
        way = " over its second way" if self._broker.fallback else ""
        _log.info("uplink %s is connected to %s%s", self._name, self._settings.url, way)
        self._upkeep.look_soon()
        self._hearing.begin()
        self._speaking.begin()
        link.subscribe(self._format.topics())
        self._publish(link, *self._format.opening())
        self._sender.begin(self._clock.wall_ms())
        self._patience.begin(now)
        self._stall.begin(now)
        return link

    def _break_off(self, why: str) -> None:
        """Something failed on the link: take in what it still has to say, which may explain it, and lose it."""
        try:
            if self._link is None or self._hear(self._link):
                self._lose(why)
        except (TryAgain, StoreError) as error:
            self._lose(str(error))

    def _lose(self, why: str) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None
        self._flight.clear()
        self._trouble = why
        self._complain(why)
        self._back_off()

    def _back_off(self) -> None:
        now = self._clock.monotonic()
        self._retry_at = now + self._backoff.failed(now)

    def _until_retry(self) -> float:
        return max(0.0, self._retry_at - self._clock.monotonic())

    def _leave(self, link: Link, why: str) -> None:
        """End the connection on purpose, with the format's last words, and make another one soon."""
        for publication in self._format.closing():
            link.publish(publication)
        self._lose(f"Uplink {self._name} begins a new connection: {why}.")

    # --- hearing --------------------------------------------------------------------------------------

    def _hear(self, link: Link) -> bool:
        """Take in what the broker said; False when the link is gone."""
        delivered: list[int] = []
        lost: str | None = None
        for event in link.take():
            match event:
                case Confirmed(token):
                    delivered += self._confirm(token)
                case Arrived():
                    self._receive(link, event)
                case Refused(token, why, for_good):
                    lost = self._refused(token, why, for_good) or lost
                case Lost(why):
                    self._was_it_us(event)
                    lost = f"Uplink {self._name}: {why}"
        if delivered:
            points.reach("confirm")
            if not self._settings.acks:
                self._store.mark_delivered(self._name, delivered)
                points.reach("mark")
        if lost is None and self._broker.better():
            self._leave(link, "the first way is open again")
        elif lost is None and self._hearing.leave:
            self._leave(link, self._hearing.leave)
        elif lost is not None:
            self._lose(lost)
        return self._link is not None

    def _confirm(self, token: int) -> list[int]:
        self._backoff.succeeded()
        self._speaking.confirmed(token)
        seq = self._flight.confirm(token)
        if self._speaking.opening or seq is not None:
            self._stall.progress(self._clock.monotonic())
        if seq is None:
            return []
        self._sender.confirmed()
        self._counts.confirmed += 1
        return [seq]

    def _refused(self, token: int, why: str, for_good: bool) -> str | None:
        """A message that this broker will never take is set aside; else the sentence with which the link ends."""
        seq = self._flight.message_of(token)
        if for_good and seq is not None:
            self._complain(f"Uplink {self._name}: the broker will never take message {seq} ({why}): it is set aside.")
            self._sender.set_aside(seq, f"the broker refuses it: {why}")
            return None
        return f"Uplink {self._name}: the broker refuses what we publish ({why}): check its access rules."

    def _was_it_us(self, lost: Lost) -> None:
        try:
            if lost.too_large:
                self._sender.too_large()
            else:
                self._sender.lost(self._stall.quiet(self._clock.monotonic()), not lost.silent)
        except StoreError as error:
            self._complain(str(error))  # it is sent again, and found again

    def _receive(self, link: Link, arrived: Arrived) -> None:
        try:
            self._answer(link, self._hearing.take_in(arrived, self._clock.monotonic()))
        except ValueError as error:
            self._refuse(f"a message on {arrived.topic}: {error}")
        except StoreError as error:
            # Not confirmed, so the broker delivers it again over the next connection.
            raise TryAgain(f"Uplink {self._name} could not keep a message on {arrived.topic}: {error}") from error
        link.taken(arrived)

    def _answer(self, link: Link, answers: Sequence[Say]) -> None:
        for publication, refused in answers:
            self._publish(link, publication)
            if refused:
                self._refuse(refused)

    def _refuse(self, what: str) -> None:
        self._counts.refused += 1
        self._complain(f"Uplink {self._name} ignored {what}.")

    # --- sending --------------------------------------------------------------------------------------

    def _publish(self, link: Link, *publications: Publication) -> None:
        self._speaking.publish(link, len(self._flight), *publications)

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
            publication = self._format.health(self._health())
            if publication is not None:
                self._publish(link, publication)

    def _idle(self, link: Link) -> float:
        now = self._clock.monotonic()
        waits = [_LONGEST_WAIT_S, self._health_at - now]
        due = None if self._hearing.held else self._sender.due_in(link, now)
        waits += [] if due is None else [due]
        if self._flight or self._speaking.opening:
            waits.append(self._stall.due_in(now))
        if self._settings.acks:
            waits.append(max(self._patience.due_in(now), 0.05))
        return max(0.0, min(waits))

    def _complain(self, sentence: str) -> None:
        self._complaints.say(sentence, self._clock.monotonic())
