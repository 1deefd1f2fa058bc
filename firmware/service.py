"""What is asked of the board from outside: commands with authority, updates, addressing; and what it remembers.

It carries out what `authority` allows, one short step a turn of the loop, writes the journal, and calls a start
proven once bus and meter live. Whether a breaker may open or close is the role's decision.
"""

import json
import os
import struct
from time import ticks_add, ticks_diff

import authority
import journal
import settings as settings_slots
import start
from authority import Authority
from inbox import Inbox
from journal import Journal
from micropython import const
from registers import HOLDING, INPUT
from slots import Slots
from version import VERSION

# Codes of commands.
OPEN, CLOSE, SETTINGS, CLOCK, RESTART, BEGIN, INSTALL, ABORT = 1, 2, 3, 4, 5, 6, 7, 8
ADDRESS = const(64)  # without authority, on a board that is not commissioned
_SECRET = ("key", "signer", "seq")  # never over the bus

# Results beside those of `authority`.
BAD_ARGUMENT = const(10)
NOT_HERE = const(11)
FLASH = const(12)
BOARD_REFUSES = const(20)  # and what the role gave

BUNDLE = "update.bin"  # a bundle that somebody copied over USB
_PROVEN_MS = const(20_000)
_TRIAL_MS = const(120_000)
_RESTART_MS = const(1000)  # for the answer, and for the journal
_IMAGES = ("", "a", "b")


class Service:
    """`folder` and `record` are what `start` chose: the image that runs, and how the starts before it went."""

    def __init__(self, bank, settings, memory, board, folder: str, record: dict, now: int) -> None:
        self.journal = Journal(memory.boots, now)
        self.inbox = Inbox(self.journal)
        self.authority = Authority(bytes.fromhex(settings.key), settings.serial, memory.boots, os.urandom, now)
        self._bank = bank
        self._settings = settings
        self._board = board
        self._folder = folder
        self._trial = bool(folder) and record.get("trial") == folder
        self._proven = False
        self._born = now
        self._restart_at = 0
        self._restarts = False
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
        self._seen_state = 0
        self._seen_trips = memory.trips
        bank.put(INPUT, at(b"image"), _IMAGES.index(folder))
        bank.put(INPUT, at(b"failed_starts"), record.get("fails", 0))
        bank.put(INPUT, at(b"returned_updates"), record.get("returned", 0))
        cause = board.reset_cause()
        self._note(now, journal.START, cause, record.get("fails", 0), _IMAGES.index(folder))
        if BUNDLE in os.listdir():
            self._new_update(now).from_file(BUNDLE)

    def attach(self, slave, meter, role, panel) -> None:
        """The parts that exist once the board runs."""
        self._panel = panel
        self._slave = slave
        self._meter = meter
        self._role = role
        if not self._settings.configured:
            record = Slots("address").load()
            if record:
                self._rename(record["address"])

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
            self._board.restart()

    # --- What it remembers ------------------------------------------------------------------------

    def _note(self, now: int, kind: int, a: int = 0, b: int = 0, c: int = 0) -> None:
        self.journal.note(now, self._bank.long(HOLDING, self._clock_at), kind, a, b, c)

    def _watch(self, now: int) -> None:
        """Trips and changes of the state register, as the bus sees them."""
        words = self._bank.cells[INPUT]
        if self._trips_at >= 0 and words[self._trips_at] != self._seen_trips:
            self._seen_trips = words[self._trips_at]
            current = self._bank.long(INPUT, self._current_at)
            self._note(now, journal.TRIP, words[self._cause_at], current, self._seen_trips)
        state = words[self._state_at]
        if state != self._seen_state:
            self._note(now, journal.STATE, state, state ^ self._seen_state)
            self._seen_state = state

    def _watch_update(self, now: int) -> None:
        update = self.inbox.update
        if update.state != self._update_state:
            self._update_state = update.state
            self._note(now, journal.UPDATE, update.state, update.trouble, update.blocks)

    def _publish(self, now: int) -> None:
        put = self._bank.put
        nonce, at = self.authority.nonce, self._nonce_at
        for index in range(4):
            put(INPUT, at + index, nonce[2 * index] << 8 | nonce[2 * index + 1])
        put(INPUT, at + 4, self.authority.age(now) // 100)
        put(INPUT, at + 5, self._judged)
        put(INPUT, at + 6, self._result)
        self._bank.put_long(INPUT, at + 7, self.authority.counter)
        put(INPUT, at + 9, self.authority.wait(now))
        self._bank.put_long(INPUT, self._journal_at, self.journal.first)
        self._bank.put_long(INPUT, self._journal_at + 2, self.journal.next)
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
        """A start is good after 20 s of this; an update must have heard the bus and its meter as well."""
        if self._proven or ticks_diff(now, self._born) < _PROVEN_MS:
            return
        healthy = self._slave.frames > 0 and (self._meter is None or self._meter.alive)
        if not self._trial or healthy:
            self._proven = True
            start.proven(VERSION.decode())
        elif ticks_diff(now, self._born) >= _TRIAL_MS:
            self._proven = True
            self._restart(now)  # still pending: the start after this one takes the image before

    # --- What is asked ----------------------------------------------------------------------------

    def _command(self, now: int) -> None:
        frame = bytes(memoryview(self.inbox.frame)[: self.inbox.size])
        self.inbox.size = 0
        if frame[0] == ADDRESS:
            self._address(frame)
            return
        try:
            result = self.authority.judge(frame, now)
            if result == authority.DONE:
                result = self._carry_out(frame[0], frame[authority.HEAD : authority.HEAD + frame[1]], now)
        except OSError:
            result = FLASH
        if result != authority.LOCKED:  # or a babbler would fill the journal
            kind = journal.DONE if result == authority.DONE else journal.REFUSED
            self._note(now, kind, frame[0], result, self.authority.counter)
        self._judged = self._judged + 1 & 0xFFFF
        self._result = result

    def _carry_out(self, code: int, argument: bytes, now: int) -> int:
        if code == OPEN or code == CLOSE:
            return self._move(code, now)
        if code == SETTINGS:
            return self._change_settings(argument)
        if code == CLOCK and len(argument) == 4:
            self._note(now, journal.CLOCK)  # dated by the clock as it stood
            words = struct.unpack(">HH", argument)
            self._bank.put(HOLDING, self._clock_at, words[0])
            self._bank.put(HOLDING, self._clock_at + 1, words[1])
            self._panel.keep_clock()
            return authority.DONE
        if code == RESTART and not argument:
            self._restart(now)
            return authority.DONE
        if code == BEGIN and len(argument) == 36:
            size = struct.unpack_from(">I", argument)[0]
            return authority.DONE if self._new_update(now).begin(size, argument[4:]) else BAD_ARGUMENT
        if code == INSTALL and not argument:
            return authority.DONE if self.inbox.update and self.inbox.update.install() else BAD_ARGUMENT
        if code == ABORT and not argument:
            if self.inbox.update:
                self.inbox.update.close()
            self.inbox.update = None
            return authority.DONE
        return BAD_ARGUMENT if 1 <= code <= ABORT else NOT_HERE

    def _move(self, code: int, now: int) -> int:
        if self._settings.role != "breaker" or self._role.attention:
            return NOT_HERE
        if code == OPEN:
            self._role.remote_open(now)
            return authority.DONE
        why = self._role.remote_close(now)
        return BOARD_REFUSES + why if why else authority.DONE

    def _restart(self, now: int) -> None:
        self._restarts = True
        self._restart_at = ticks_add(now, _RESTART_MS)

    def _new_update(self, now: int):
        from update import Update  # large, and seldom needed

        if self.inbox.update:
            self.inbox.update.close()
        self.inbox.update = Update(self._settings.signer, VERSION, self._folder, now)
        return self.inbox.update

    def _change_settings(self, argument: bytes) -> int:
        """JSON of the keys that change. They count from the next start on."""
        slots = Slots(settings_slots.NAME)
        record = slots.load() or {}
        try:
            changes = json.loads(argument)
            for name, value in changes.items():
                if name in _SECRET:
                    return BAD_ARGUMENT
                if isinstance(value, dict) and isinstance(record.get(name), dict):
                    record[name].update(value)
                else:
                    record[name] = value
            settings_slots.parse(record)
        except (ValueError, TypeError, AttributeError):
            return BAD_ARGUMENT
        slots.save(record)
        return authority.DONE

    def _address(self, frame: bytes) -> None:
        """A new address for the board with this serial number; only while it is not commissioned."""
        if self._settings.configured or len(frame) < 19 or frame[1] != 17 or not 1 <= frame[18] <= 247:
            return
        serial = self._settings.serial
        if frame[2:18] == serial + bytes(16 - len(serial)):
            Slots("address").save({"address": frame[18]})
            self._rename(frame[18])

    def _rename(self, address: int) -> None:
        self._slave.unit = self._slave.framer.unit = address
