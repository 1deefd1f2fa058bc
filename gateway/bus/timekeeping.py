"""How the devices of a bus get the time, and give it back: which writes set their `clock` registers, and whose is
read when the gateway does not know the time itself. Pure; it sends nothing.

A profile asks for it with a writable holding register of the name `clock`, a whole number of seconds since
1970. One broadcast sets all clocks at one address. But every device hears a broadcast, and one of another
maker might take it for a setting of its own: so there is a broadcast only where every device of the bus has
a clock, and where its range, in devices that have theirs elsewhere, would tear a value apart (which such a
device must refuse). On any other bus each clock is written alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.profile.decode import encode
from gateway.profile.model import Profile, Register
from gateway.records import ClockState

EVERY_S = 60.0
"""Seconds between two settings; a board's crystal strays by some milliseconds in that time."""
FIRST_AFTER_S = 5.0
"""Seconds from the start to the first: by then the devices that are there have been met."""
_WHOLE = ("u32", "i32", "u64", "i64")


@dataclass(frozen=True)
class ClockWrite:
    """Write the time to `register` of the device at place `device`, or of all devices when that is None."""

    device: int | None
    register: Register

    def words(self, unix_ms: int) -> list[int]:
        """What to write at `unix_ms`: the nearest second."""
        return encode(self.register, (unix_ms + 500) // 1000)


def clock_writes(profiles: Sequence[Profile], *, broadcast: bool = True) -> tuple[ClockWrite, ...]:
    """The writes that set every clock of a bus; without `broadcast` (Modbus TCP knows none) each alone."""
    clocks = [clock_of(profile) for profile in profiles]
    present = [clock for clock in clocks if clock is not None]
    alone = tuple(ClockWrite(index, clock) for index, clock in enumerate(clocks) if clock is not None)
    if not broadcast or len(present) < len(profiles) or len(present) < 2:
        return alone
    places = list({_place(clock): clock for clock in present}.values())
    if all(_harmless(profile, place) for profile in profiles for place in places):
        return tuple(ClockWrite(None, place) for place in places)
    return alone


def clock_of(profile: Profile) -> Register | None:
    """The register that takes the time, if the profile has one."""
    for register in profile.registers:
        if register.name == "clock" and register.kind == "holding":
            plain = register.type in _WHOLE and (register.scale, register.offset) == (1.0, 0.0)
            return register if plain and register.access != "r" else None
    return None


class Timekeeper:
    """When which clock is to be set. Times are monotonic seconds."""

    def __init__(self, profiles: Sequence[Profile], now: float, *, broadcast: bool = True) -> None:
        self._writes = clock_writes(profiles, broadcast=broadcast)
        self._waiting: list[ClockWrite] = []
        self._clocks = [(index, clock) for index, profile in enumerate(profiles) if (clock := clock_of(profile))]
        self._unasked: list[tuple[int, Register]] = []
        self._next_round = self._next_questions = now + FIRST_AFTER_S

    def next(self, now: float, state: ClockState) -> ClockWrite | None:
        """The write to make now, if any: one at a time, so that no alarm waits for long."""
        if now >= self._next_round and state == "trusted":
            self._next_round = now + EVERY_S
            self._waiting = list(self._writes)
        return self._waiting.pop(0) if self._waiting else None

    def question(self, now: float, state: ClockState) -> tuple[int, Register] | None:
        """The device whose clock is to be read now, if any, by its place: while the machine's own is not trusted."""
        if state == "trusted":
            self._unasked.clear()
        elif now >= self._next_questions:
            self._next_questions = now + EVERY_S
            self._unasked = [(index, clock) for index, clock in self._clocks if clock.access != "w"]
        return self._unasked.pop(0) if self._unasked else None


def _harmless(profile: Profile, place: Register) -> bool:
    own = clock_of(profile)
    if own is not None and _place(own) == _place(place):
        return True
    holding = [register for register in profile.registers if register.kind == "holding"]
    return any(_torn(register, place) for register in holding)


def _torn(register: Register, place: Register) -> bool:
    inside = place.address <= register.address and register.end <= place.end
    return not inside and register.address < place.end and place.address < register.end


def _place(register: Register) -> tuple[object, ...]:
    return register.address, register.type, register.word_order, register.byte_order
