"""What an uplink asks of the outbox: new messages, old ones again, and to note what arrived."""

from collections.abc import Sequence

from gateway import points
from gateway.columns import Unpacked
from gateway.intervals import Intervals
from gateway.outbox import blocks, gaps, readings, times
from gateway.outbox.composing import MOST_READINGS
from gateway.outbox.lane import Composed, Lane
from gateway.outbox.notebook import Notebook
from gateway.outbox.streams import CORRECTIONS, EVENTS, GAPS, READINGS
from gateway.records import Message

# A replay request names at most this many messages; a receiver asks for the rest when it has these.
MOST_RESENT = 1000
_ANNOUNCE_EVERY_S = 5.0
_MOST_ANNOUNCED = 20
_SOON = 16 * MOST_READINGS  # so near its end, the next block is unpacked too
_EARLY = 0.05  # of `max_delay`: the commit and the network take time too


class Sending(Notebook):
    """The uplinks' side; every method names the uplink it is for."""

    def next_messages(self, uplink: str, room: int, bulk: int) -> list[Message]:
        """Up to `room` new messages, numbered and committed: events first, then at most `bulk` of the rest.

        Readings come when a message is full or one of them has waited `max_delay`. Raises StoreError.
        """
        if bulk > 0:
            self._unpack_ahead(uplink)
        with self._lock:
            self._ready()  # opening anew also makes new lanes
            lane = self._lanes[uplink]
            due = bulk > 0 and self._due(lane)
            if room <= 0 or not self._has_work(lane, bulk, due):
                return []
            steps: list[Composed] = []
            self._critical(
                lambda connection: steps.append(
                    lane.compose(connection, self.epoch, self._clock.wall_ms(), room, bulk, due)
                )
            )
            lane.composed(steps[-1])
            with self._reading() as connection:
                if lane.cursor[READINGS] >= self._waiting.next_number(connection, READINGS):
                    lane.waiting_since = self._waiting.since
            return [message for message, _ in steps[-1].messages]

    def due_in(self, uplink: str) -> float | None:
        """Seconds until a waiting reading must leave, 0 while there is a backlog; None when none waits."""
        with self._lock:
            lane = self._lanes[uplink]
            if lane.behind:
                return 0.0
            due = self._due_at(lane)
            return None if due is None else max(0.0, due - self._clock.monotonic())

    def undelivered(self, uplink: str) -> list[int]:
        """The numbers of messages without a confirmation, events first: to be sent after a reconnect."""
        with self._lock:
            spans = self._lanes[uplink].undelivered
            return sorted(spans, key=lambda seq: (spans[seq].stream != EVENTS, seq))

    def message(self, uplink: str, seq: int) -> Message | None:
        """Message `seq` exactly as first composed; None when it is no longer kept. Raises StoreError."""
        with self._lock:
            self._ready()
            lane = self._lanes[uplink]
            # A transaction, because a row that turns out unreadable is set aside.
            with self._transaction(with_marks=False) as connection:
                found = lane.rebuild(connection, self.epoch, seq)
                voided = found is None and seq in lane.undelivered
                if voided:
                    lane.void(connection, seq, self._clock.wall_ms())
            if voided:
                lane.deliver({seq})
            return found

    def mark_delivered(self, uplink: str, seqs: Sequence[int]) -> None:
        """The broker has confirmed these; written with one of the next commits."""
        with self._lock:
            lane = self._lanes[uplink]
            lane.deliver(set(seqs))
            lane.settle(self._clock.monotonic())
        points.reach("mark")

    def set_aside(self, uplink: str, seq: int, reason: str) -> None:
        """Give up a message that its receiver's broker will never take: gaps announce it. Raises StoreError."""
        with self._lock:
            lane = self._lanes[uplink]
            if seq not in lane.undelivered:
                return
            with self._transaction() as connection:
                lane.void(connection, seq, self._clock.wall_ms(), reason)
            lane.deliver({seq})
        self._wake()

    def acknowledge(self, uplink: str, epoch: str, upto: int) -> int | None:
        """The receiver has everything up to `upto`; returns how many messages that settles.

        None when the acknowledgement is not ours: another epoch, or a number that was never given.
        """
        with self._lock:
            lane = self._lanes[uplink]
            if epoch != self.epoch or not 0 <= upto < lane.next_seq:
                return None
            settled = lane.deliver({seq for seq in lane.undelivered if seq <= upto})
        points.reach("mark")
        return settled

    def resend(self, uplink: str, epoch: str, first: int, last: int) -> list[int]:
        """The numbers of first..last (at most 1000) that can be sent again.

        The others are announced as a gap of the stream "messages", so that the receiver stops waiting.
        Raises StoreError.
        """
        with self._lock:
            lane = self._lanes[uplink]
            last = min(last, lane.next_seq - 1, first + MOST_RESENT - 1)
            if epoch != self.epoch or first < 1 or last < first:
                return []
            with self._reading() as connection:
                kept = lane.kept(connection, first, last)
            gone = Intervals([(seq, seq) for seq in [*kept, last + 1]]).holes(first)[:_MOST_ANNOUNCED]
            now = self._clock.monotonic()
            if gone and now - lane.announced_at >= _ANNOUNCE_EVERY_S:
                with self._transaction() as connection:
                    for a, b in gone:
                        lane.announce(connection, "messages", a, b, self._clock.wall_ms(), "no longer kept")
                lane.announced_at = now
            return kept

    def _unpack_ahead(self, uplink: str) -> None:
        """Unpack the blocks of a backlog that come next without the lock: an alarm must not wait for that."""
        with self._lock:
            self._ready()
            lane = self._lanes[uplink]
            if not lane.behind or lane.whole_blocks:
                return
            shelf, first = lane.shelf, lane.behind[0][0]
            with self._reading() as connection:
                block = blocks.at_or_after(connection, first)
                if block is not None and shelf.holds(block) and block.last - first < _SOON:
                    block = blocks.at_or_after(connection, block.last + 1)
                if block is None or not readings.large(block) or shelf.holds(block):
                    return
                body = blocks.body(connection, block.first)
        try:
            found = blocks.opened(body, block.last - block.first + 1)
            if isinstance(found, Unpacked):
                found.lines()
        except ValueError:
            return  # composing finds it too, and sets it aside
        with self._lock:
            shelf.put(block, found)

    def _due_at(self, lane: Lane) -> float | None:
        return None if lane.waiting_since is None else lane.waiting_since + lane.max_delay * (1 - _EARLY)

    def _due(self, lane: Lane) -> bool:
        due = self._due_at(lane)
        return due is not None and self._clock.monotonic() >= due

    def _has_work(self, lane: Lane, bulk: int, due: bool) -> bool:
        """Whether composing could yield something: an idle look must not cost a commit."""
        if self._waiting.events or due:
            return True
        with self._reading() as connection:
            if lane.cursor[EVENTS] < self._waiting.next_number(connection, EVENTS):
                return True
            if bulk <= 0 or lane.behind:
                return bulk > 0
            backlog = self._waiting.next_number(connection, READINGS) - lane.cursor[READINGS] + self._waiting.count
            return (
                backlog >= MOST_READINGS
                or bool(gaps.listed(connection, lane.id, lane.cursor[GAPS], 1))
                or bool(times.listed(connection, lane.id, lane.cursor[CORRECTIONS], 1))
            )
