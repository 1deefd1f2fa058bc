"""What is asked of the board from outside: commands with authority, updates, addressing; and what it remembers.

It carries out what `authority` allows, one short step a turn of the loop, writes the journal, and calls a start
proven once bus and meter live. Whether a breaker may open or close is the role's decision.
"""

import gc
import os
from time import ticks_add, ticks_diff

import start
from authority import Authority
from inbox import Inbox
from journal import Journal
from loaded import forget
from micropython import const
from registers import HOLDING, INPUT
from slots import Slots
from version import VERSION

_ADDRESS = const(64)  # a frame without authority, for boards that are not commissioned
_DONE = const(1)
_LOCKED = const(4)
_FAILED = const(12)  # beside the results of `authority` and `orders`
_HEAD = const(18)  # of a command frame

# Kinds of entries in the journal; what goes with them stands in docs/firmware.md.
_START = const(1)
_TRIP = const(2)
_STATE = const(3)
_OBEYED = const(4)
_REFUSED = const(5)
_UPDATE = const(6)
_VALUES = const(8)
_SAMPLE = const(9)

_BUNDLE = "update.bin"  # a bundle that somebody copied over USB
_PROVEN_MS = const(10_000)
_TRIAL_MS = const(120_000)
_RESTART_MS = const(1000)  # for the answer, and for the journal
_IMAGES = ("", "a", "b")


class Service:
    """`folder` and `record` are what `start` chose: the image that runs, and how the starts before it went."""

    def __init__(self, bank, settings, memory, board, folder: str, record: dict, now: int) -> None:
        self.journal = Journal(memory.boots, now)
        self.inbox = Inbox(self.journal)
        self.authority = Authority(bytes.fromhex(settings.key), settings.serial, memory.boots, os.urandom, now)
        self.bank = bank
        self.serial = settings.serial
        self.commissioned = settings.configured
        self._signer = settings.signer
        self._board = board
        self._image = folder or record.get("image", "")  # in safe mode another one than that which runs
        self._trial = bool(folder) and record.get("trial") == folder
        self._proven = not record.get("pending", False)  # safe mode has nothing to prove
        self._born = now
        self._restart_at = 0
        self._restarts = False
        self.wipes = False  # at the restart that was asked for
        self._judged = 0
        self._result = 0
        self._update_state = 0
        at = bank.at
        self._state_at = at(b"state")
        self._trips_at = at(b"trip_count")
        self._cause_at = at(b"cause")
        self._current_at = at(b"trip_current")
        self._clock_at = at(b"clock")
        self._nonce_at = at(b"nonce_high")
        self._journal_at = at(b"journal_first")
        self._update_at = at(b"update_state")
        self._bus_at = at(b"bus_requests")
        self._seen_state = self._changed = 0
        self._noted = ticks_add(now, -1000)
        self._left = None  # what a trip left behind, until it is told
        self._told = 0
        self._seen_trips = memory.trips
        bank.put(INPUT, at(b"image"), _IMAGES.index(folder))
        bank.put(INPUT, at(b"failed_starts"), record.get("fails", 0))
        bank.put(INPUT, at(b"returned_updates"), record.get("returned", 0))
        cause = board.reset_cause()
        self.note(now, _START, cause, record.get("fails", 0), _IMAGES.index(folder))
        if _BUNDLE in os.listdir():
            self.new_update(now).from_file(_BUNDLE)

    def attach(self, slave, meter, role, panel) -> None:
        """The parts that exist once the board runs."""
        self.panel = panel
        self._slave = slave
        self._meter = meter
        self.role = role
        if not self.commissioned:
            record = Slots("address").load()
            if record:
                self.rename(record["address"])

    def step(self, now: int) -> None:
        self._watch(now)
        self.authority.step(now)
        if self.inbox.size:
            self._command(now)
        if self.inbox.update:
            self.inbox.update.step(now)
            self._watch_update(now)
        self._publish(now)
        self._prove(now)
        self.journal.step(now)
        if self._restarts and ticks_diff(now, self._restart_at) >= 0:
            self._board.rest()
            if self.wipes:
                self._orders().wipe()
            self._board.restart()

    # --- What it remembers ------------------------------------------------------------------------

    def note(self, now: int, kind: int, a: int = 0, b: int = 0, c: int = 0) -> None:
        self.journal.note(now, self.bank.long(HOLDING, self._clock_at), kind, a, b, c)

    def _watch(self, now: int) -> None:
        """Trips and changes of the state register, as the bus sees them."""
        words = self.bank.cells[INPUT]
        if self._trips_at >= 0 and words[self._trips_at] != self._seen_trips:
            self._seen_trips = words[self._trips_at]
            current = self.bank.long(INPUT, self._current_at)
            self.note(now, _TRIP, words[self._cause_at], current, self._seen_trips)
            self._left = getattr(self.role, "record", None)
            self._told = 0
        elif self._left and self.journal.roomy():
            self._tell(now, self._left)
        state = words[self._state_at]
        self._changed |= state ^ self._seen_state
        self._seen_state = state
        # Once a second at most: a contact that flutters must not wear the flash.
        if self._changed and ticks_diff(now, self._noted) >= 1000:
            self.note(now, _STATE, state, self._changed)
            self._changed = 0
            self._noted = now

    def _tell(self, now: int, record) -> None:
        """An entry a step: the values of the trip, then the measurements before it."""
        index = self._told
        self._told += 1
        if index == 0:
            values = record.voltage << 16 | record.residual & 0xFFFF
            self.note(now, _VALUES, record.by, values, record.thermal << 16 | record.temperature & 0xFFFF)
        elif index <= record.held:
            at = (index - 1) * 4
            samples = record.samples
            values = samples[at + 2] << 16 | samples[at + 3] & 0xFFFF
            self.note(now, _SAMPLE, min(samples[at], 0xFFFF), samples[at + 1], values)
        else:
            self._left = None

    def _watch_update(self, now: int) -> None:
        update = self.inbox.update
        if update.state != self._update_state:
            self._update_state = update.state
            self.note(now, _UPDATE, update.state, update.trouble, update.blocks)

    def _publish(self, now: int) -> None:
        put = self.bank.put
        nonce, at = self.authority.nonce, self._nonce_at
        for index in range(4):
            put(INPUT, at + index, nonce[2 * index] << 8 | nonce[2 * index + 1])
        put(INPUT, at + 4, self.authority.age(now) // 100)
        put(INPUT, at + 5, self._judged)
        put(INPUT, at + 6, self._result)
        self.bank.put_long(INPUT, at + 7, self.authority.counter)
        put(INPUT, at + 9, self.authority.wait(now))
        self.bank.put_long(INPUT, self._journal_at, self.journal.first)
        self.bank.put_long(INPUT, self._journal_at + 2, self.journal.next)
        update, at = self.inbox.update, self._update_at
        put(INPUT, at, update.state if update else 0)
        put(INPUT, at + 1, update.trouble if update else 0)
        put(INPUT, at + 2, update.blocks if update else 0)
        put(INPUT, at + 3, update.left if update else 0)
        put(INPUT, self._bus_at, self._slave.requests)
        put(INPUT, self._bus_at + 1, self._slave.refused)
        put(INPUT, self._bus_at + 2, self._slave.foreign)

    # --- Proving a start --------------------------------------------------------------------------

    def _prove(self, now: int) -> None:
        """A start is good after 10 s of this; an update must have heard the bus and its meter as well."""
        if self._proven or ticks_diff(now, self._born) < _PROVEN_MS:
            return
        healthy = self._slave.frames > 0 and (self._meter is None or self._meter.alive)
        if not self._trial or healthy:
            self._proven = True
            start.proven(VERSION.decode())
        elif ticks_diff(now, self._born) >= _TRIAL_MS:
            self._proven = True
            self.restart(now)  # still pending: the start after this one takes the image before

    # --- What is asked ----------------------------------------------------------------------------

    def _command(self, now: int) -> None:
        frame = bytes(memoryview(self.inbox.frame)[: self.inbox.size])
        self.inbox.size = 0
        if frame[0] == _ADDRESS and (self.commissioned or frame[2:18] != self.serial + bytes(16 - len(self.serial))):
            return  # for another board: whole boxes of them are told one after the other
        gc.collect()  # what a command imports and reads needs room in one piece
        if frame[0] == _ADDRESS:
            self._orders().readdress(self, frame)
            return
        try:
            result = self.authority.judge(frame, now)
            if result == _DONE:
                result = self._orders().carry_out(self, frame[0], frame[_HEAD : _HEAD + frame[1]], now)
        except (OSError, MemoryError):
            result = _FAILED
        if result != _LOCKED:  # or a babbler would fill the journal
            self.note(now, _OBEYED if result == _DONE else _REFUSED, frame[0], result, self.authority.counter)
        self._judged = self._judged + 1 & 0xFFFF
        self._result = result

    def _orders(self):
        """The module for this one command: the heap needs its room more often than it is needed."""
        import orders

        forget("orders")
        return orders

    def restart(self, now: int) -> None:
        self._restarts = True
        self._restart_at = ticks_add(now, _RESTART_MS)

    def new_update(self, now: int):
        self.end_update()
        from update import Update  # large, and seldom needed

        self.inbox.update = Update(self._signer, VERSION, self._image, now)
        return self.inbox.update

    def end_update(self) -> None:
        if self.inbox.update:
            self.inbox.update.close()
            forget("update")
        self.inbox.update = None

    def rename(self, address: int) -> None:
        self._slave.unit = self._slave.framer.unit = address
