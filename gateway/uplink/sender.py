"""What goes out over one connection, and in which order: events first, then repeats, then the rest.

It keeps the window, the budget and the broker's limits; what cannot be sent now stays in the outbox.
"""

from collections import deque

from gateway import columns, points
from gateway.records import Event, Message, Reading
from gateway.uplink.budget import Budget
from gateway.uplink.bulletin import Bulletin
from gateway.uplink.clumsy import Clumsy
from gateway.uplink.flight import Flight
from gateway.uplink.format import Format
from gateway.uplink.link import Link, Publication
from gateway.uplink.settings import UplinkSettings
from gateway.uplink.status import Counts
from gateway.uplink.store import Store

# With acks and no receiver, readings stop at settings.unacknowledged; events may go on to other listeners.
_EVENTS_BEYOND = 256
_MOST_AGAIN = 2000
# Messages numbered in one commit, some 40 kB of memory each: while that lasts, an alarm waits for the outbox. More are
# made while a quarter is left, so that the wire has work meanwhile.
_AT_ONCE, _AT_ONCE_PACKED = 16, 64
_HEADER_BYTES = 16  # of a publication, beside topic and payload


class Sender:
    """The sending half of one uplink; `connected_at` is the wall clock when its connection began."""

    def __init__(
        self,
        settings: UplinkSettings,
        store: Store,
        form: Format,
        flight: Flight,
        budget: Budget,
        bulletin: Bulletin,
        counts: Counts,
    ) -> None:
        self._settings = settings
        self._name = settings.name
        self._store = store
        self._format = form
        self._flight = flight
        self._budget = budget
        self._bulletin = bulletin
        self._counts = counts
        self._clumsy = Clumsy()
        self._connected_at = 0
        self._interrupted = False
        self._others = 0
        self._ready: deque[Message] = deque()

    def begin(self, connected_at: int) -> None:
        """A new connection: what is unconfirmed goes again."""
        self._interrupted = False
        self._ready.clear()
        self._connected_at = connected_at
        self._flight.begin(self._store.undelivered(self._name))
        self._counts.sent_again += len(self._flight.again)
        self._clumsy.connected()

    def fill(self, link: Link, now: float, others: int = 0) -> None:
        """Send what may be sent now, beside `others` publications that wait for the broker's confirmation.

        Raises TryAgain, and StoreError: then the next call makes up for it.
        """
        self._others = others
        if others >= link.window:
            return
        if self._interrupted:
            self._ready.clear()
            self._flight.repeat(self._store.undelivered(self._name), _MOST_AGAIN)
        self._interrupted = True
        self._fill(link, now)
        self._interrupted = False

    def _fill(self, link: Link, now: float) -> None:
        window = self._window(link)
        if self._flight.again:
            self._send_new(link, window, bulk_too=False, now=now)
            self._send_again(link, window, now)
        if not self._flight.again:
            self._send_new(link, window, bulk_too=True, now=now)

    def due_in(self, link: Link, now: float) -> float | None:
        """Seconds until there will be something to send that may be sent; None when only news can tell."""
        if self._budget.spent():
            return None
        _, bulk = self._room(self._window(link))
        waits = [self._budget.wait(now)]
        if self._flight.again or self._ready:
            return waits[0] if waits[0] > 0 else None
        due = self._store.due_in(self._name) if bulk > 0 else None
        return None if due is None else max(due, *waits)

    @property
    def ready(self) -> bool:
        """Whether numbered messages wait for their turn."""
        return bool(self._ready)

    def confirmed(self) -> None:
        """The broker took a message."""
        self._clumsy.confirmed()

    def lost(self, seconds: float, by_peer: bool) -> None:
        """The connection ended `seconds` after something was last sent: was it what we sent? Raises StoreError."""
        seq = self._clumsy.lost(self._flight.numbers(), seconds, by_peer)
        if seq is not None:
            self.set_aside(seq, "the broker ends the connection whenever it gets it")

    def too_large(self) -> None:
        """The broker said that a message was too large; alone on its way, it is known which. Raises StoreError."""
        seq = self._clumsy.blamed(self._flight.numbers())
        if seq is not None:
            self.set_aside(seq, "larger than the broker takes")

    def set_aside(self, seq: int, why: str) -> None:
        """Give up a message that the broker will never take: a gap says so, and an event. Raises StoreError."""
        self._flight.drop(seq)
        self._store.set_aside(self._name, seq, why)
        self._bulletin.tell(f"message {seq}", "gateway.uplink", 3, {"reason": "message set aside", "why": why})

    # --- inside ---------------------------------------------------------------------------------------

    def _window(self, link: Link) -> int:
        return 1 if self._clumsy.careful else max(1, min(self._settings.window, link.window - self._others))

    def _send_again(self, link: Link, window: int, now: float) -> None:
        again = self._flight.again
        reserved = min(self._settings.reserved, window - 1)
        while again and len(self._flight) < window - reserved:
            message = self._store.message(self._name, again[0])
            # Events stand first, so a budget that holds a reading back holds no event behind it.
            if message is not None and not _is_event(message) and not self._may(now):
                return
            again.popleft()
            if message is not None:
                self._publish(link, message, again=True)

    def _send_new(self, link: Link, window: int, bulk_too: bool, now: float) -> None:
        bulk_too = bulk_too and self._may(now)
        if self._ready or not bulk_too:
            room, _ = self._room(window)
            self._make_ready(room, 0)
            self._send_ready(link, window, bulk_too, now)
        if bulk_too:
            self._compose(window)
            self._send_ready(link, window, bulk_too, now)

    def _send_ready(self, link: Link, window: int, bulk_too: bool, now: float) -> None:
        while self._ready and self._fits(self._ready[0], window, bulk_too, now):
            message = self._ready.popleft()
            self._flight.leaves(message.seq, now)
            self._publish(link, message, again=_made_at(message) < self._connected_at)

    def _compose(self, window: int) -> None:
        """Have a few messages ready to go: a commit for each would hold up a backlog."""
        room, bulk = self._room(window)
        most = _AT_ONCE_PACKED if self._settings.encoding == "compact" else _AT_ONCE
        if self._settings.acks:
            # The unacknowledged are bounded and watched: what is ready would be taken for one of them.
            if not self._ready:
                self._make_ready(room, min(bulk, most))
        elif len(self._ready) <= most // 4 and (bulk > 0 or self._store.due_in(self._name) == 0.0):
            self._make_ready(max(room, most), most)

    def _make_ready(self, room: int, bulk: int) -> None:
        """Have up to `room` new messages composed; events go before whatever is ready."""
        if room <= 0:
            return
        made = self._store.next_messages(self._name, room, bulk)
        events = [message for message in made if _is_event(message)]
        self._ready.extendleft(reversed(events))
        self._ready.extend(message for message in made if not _is_event(message))

    def _fits(self, message: Message, window: int, bulk_too: bool, now: float) -> bool:
        room, bulk = window - len(self._flight), 0
        if bulk_too and self._may(now):
            bulk = room - min(self._settings.reserved, window - 1)
        return room > 0 if _is_event(message) else bulk > 0

    def _may(self, now: float) -> bool:
        return not self._budget.spent() and self._budget.wait(now) <= 0

    def _room(self, window: int) -> tuple[int, int]:
        """How many messages may go now, and how many of them may be other than events."""
        room = window - len(self._flight)
        bulk = room - min(self._settings.reserved, window - 1)
        if self._settings.acks:
            waiting = len(self._store.undelivered(self._name))
            bulk = min(bulk, self._settings.unacknowledged - waiting)
            room = min(room, self._settings.unacknowledged + _EVENTS_BEYOND - waiting)
        return room, max(0, bulk)

    def _publish(self, link: Link, message: Message, again: bool) -> None:
        publications = self._format.encode(message, again)
        points.reach("publish.before")
        if any(_size(publication) > link.most_bytes for publication in publications):
            self.set_aside(message.seq, f"larger than the {link.most_bytes} bytes that the broker takes")
        elif publications:
            for publication in publications:
                self._budget.pay(publication)
            self._flight.sent(message.seq, [link.publish(publication) for publication in publications])
            self._counts.sent += 1
        elif not self._settings.acks:
            self._store.mark_delivered(self._name, [message.seq])  # this format has no word for it
        points.reach("publish.after")


def _size(publication: Publication) -> int:
    return len(publication.topic.encode()) + len(publication.payload) + _HEADER_BYTES


def _is_event(message: Message) -> bool:
    return isinstance(message.records, tuple) and isinstance(message.records[0], Event)


def _made_at(message: Message) -> int:
    """When the newest record of `message` was made, in Unix milliseconds."""
    if isinstance(message.records, columns.Packed):
        return message.records.end
    newest = message.records[-1]
    return newest.at if isinstance(newest, Reading) else message.sent
