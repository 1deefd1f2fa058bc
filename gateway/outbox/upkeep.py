"""What the outbox does beside accepting and sending: forgets what is delivered, packs, makes room, holds its reserve.

Each step is short, and what takes long is done without the lock.
"""

from collections.abc import Callable

from gateway import points
from gateway.outbox import blocks, compaction, database, quota, times
from gateway.outbox.forgetting import forget_records
from gateway.outbox.sending import Sending
from gateway.outbox.standing import Pruned

_PRUNE_EVERY_S = 30.0  # each is a commit
_RESERVE_EVERY_S = 30.0
_SHED_BYTES = 16 * 2**20  # enough for the reserve to be made again, and for what waits
_DATED_EVERY_S = 600.0  # it goes with a commit that is made anyway

# Frees about so many bytes, of what is worth less than readings, and returns how many it was.
Shed = Callable[[int], int]


class Upkeep(Sending):
    """One thread does all of this, now and then."""

    _prune_at = 0.0
    _reserve_at = _dated_at = 0.0
    _look_from = 0  # where the search for groups to pack goes on
    _making_room = False

    def latest_known(self) -> int:
        """Unix milliseconds that are over for sure: of the newest record of a known time, 0 without any.

        Raises StoreError.
        """
        with self._lock, self._reading() as connection:
            return times.latest_known(connection)

    def shed_first(self, shed: Shed) -> None:
        """Ask `shed` for room on the disk when it is full, before any reading goes: pictures go before readings."""
        self._sheds.append(shed)

    def _give_way(self) -> None:
        """After a failure: when the disk was full, what is worth less than readings makes room for the next try."""
        if self._failed_by is not None and database.is_full(self._failed_by):
            for shed in self._sheds:
                self.counts["bytes_shed"] += shed(_SHED_BYTES)

    def _prune(self, now: float, window: float) -> bool:
        """One step of forgetting; True when there may be more to forget."""
        lanes = list(self._lanes.values())
        for lane in lanes:
            lane.settle(now)
        if not lanes:
            return False
        steps: dict[int, Pruned] = {}
        with self._transaction() as connection:
            for lane in lanes:
                step = lane.prune(connection, now, window)
                if step is not None:
                    steps[lane.id] = step
            more = forget_records(connection, lanes, steps)
            points.reach("prune")
        for lane in lanes:
            if lane.id in steps:
                lane.pruned(steps[lane.id])
        return more or bool(steps)

    def _tend(self) -> bool:
        """One step of whatever is due; True when there may be more. Raises StoreError."""
        now = self._clock.monotonic()
        if now >= self._reserve_at:
            self._reserve_at = now + _RESERVE_EVERY_S
            self._reserve.make()
        state = self._clock.state()
        if self._times.pending and state != "untrusted":
            self._correct_times()
        if state == "trusted" and now >= self._dated_at:
            self._dated_at = now + _DATED_EVERY_S
            with self._lock:
                self._waiting.add_note(times.latest_note(self._clock.wall_ms()))
        with self._lock:
            if now >= self._prune_at and not self._prune(now, self._keep.replay_window):
                self._prune_at = now + _PRUNE_EVERY_S
        return self._pack() or self._make_room()

    def _correct_times(self) -> None:
        """The time is known: records of this boot before get their true times, and who has them is told."""
        with self._lock:
            mono = self._clock.mono_ms()
            zero = self._clock.wall_ms() - mono
            lanes = list(self._lanes.values())
            with self._transaction() as connection:
                self._times.resolve(connection, self._boot, zero, mono, [lane.id for lane in lanes])
                again = {lane: lane.once_more(connection, self._boot) for lane in lanes if lane.repeats}
            self._times.resolved()
            for lane, (event, runs) in again.items():
                lane.again_from(event, runs)
        self._wake()

    def _pack(self) -> bool:
        """Pack groups into one block; True when it did."""
        with self._lock:
            with self._reading() as connection:
                found, self._look_from = compaction.candidate(connection, self._look_from)
                old = found is None and compaction.has_rows(connection)
            if old:
                with self._transaction() as connection:
                    return compaction.take_in_rows(connection)
        if found is None:
            return False
        try:
            content = compaction.repack(found)
        except ValueError:
            with self._lock, self._transaction() as connection:
                compaction.set_damaged_aside(connection, found)
            return True
        with self._lock:
            with self._transaction() as connection:
                done = compaction.replace(connection, found, content)
            self.counts["blocks_packed"] += done
        return done

    def _make_room(self) -> bool:
        """Free one block's room when the outbox is full; True while it is."""
        limit = quota.Limit.of(self._keep.max_bytes)
        with self._lock:
            with self._reading() as connection:
                over = quota.used(connection) - (limit.lower if self._making_room else limit.upper)
                quota.shrink(connection, self._keep.max_bytes)
            self._making_room = over > 0
            if over <= 0:
                return False
            if self._prune(self._clock.monotonic(), 0.0):
                return True
        return self._thin() or self._drop()

    def _thin(self) -> bool:
        with self._lock, self._reading() as connection:
            block = quota.to_thin(connection, list(self._lanes.values()))
            body = None if block is None else blocks.body(connection, block.first)
        if block is None or body is None:
            return False
        try:
            kept, start, end = quota.thinned(blocks.unpacked(body, block.last - block.first + 1))
        except ValueError:
            return False  # damaged: it goes as a whole
        with self._lock:
            with self._transaction() as connection:
                gone = quota.thin(connection, list(self._lanes.values()), block, kept, start, end)
            self.counts["readings_thinned"] += gone
        return True

    def _drop(self) -> bool:
        with self._lock:
            with self._transaction() as connection:
                block = quota.to_drop(connection, list(self._lanes.values()))
                gone = 0 if block is None else quota.drop(connection, list(self._lanes.values()), block)
            self.counts["readings_dropped"] += gone
        return block is not None
