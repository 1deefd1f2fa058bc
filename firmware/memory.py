"""What a breaker must remember over a restart: starts, trips, energy and how hot the conductor may be.

Kept in two slots apart from the settings. The flash is written at each start, at each trip, when the thermal
memory enters another quarter, and hourly for the energy: some dozens of small writes a day. How long the board
was off is never known, so the thermal memory comes back at the upper edge of the quarter it was in: the hotter.
"""

from time import ticks_add, ticks_diff

from micropython import const
from slots import Slots

NAME = "memory"
_QUARTER = const(250)  # permille of the thermal trip value
_SOONEST_MS = const(10_000)  # between two writes that are not for a trip
_COOLER_MS = const(600_000)  # a cooler quarter is written this late: the load may come back
_ENERGY_MS = const(3_600_000)


class Memory:
    """`note` says what is, `step` writes when it is worth a write."""

    def __init__(self, now: int) -> None:
        self._slots = Slots(NAME)
        record = self._slots.load()
        if record is None:
            record = {}
        self.boots = record.get("boots", 0) + 1 & 0xFFFF
        self.cause = record.get("cause", 0)
        self.trips = record.get("trips", 0)
        self.current = record.get("current", 0)
        self.energy = record.get("energy", 0)
        self.pulses = record.get("pulses", 0)  # set by the sensor's field
        # Never ran before: cold. Ran before and forgot: hot.
        self.hot = record.get("hot", 1000 if self._slots.damaged else 0)
        self._kept_energy = self.energy
        self._kept_pulses = self.pulses
        self._cool_since = now
        self._next = now
        self._urgent = True  # the count of this start
        self._due = True
        self._energy_at = now

    def note(self, now: int, cause: int, trips: int, current: int, energy: int, permille: int) -> None:
        """What is now; allocates nothing."""
        self.energy = energy
        if cause != self.cause or trips != self.trips:
            self.cause = cause
            self.trips = trips
            self.current = current
            self._urgent = self._due = True
        hot = min((permille // _QUARTER + 1) * _QUARTER, 1000)
        if hot > self.hot:
            self.hot = hot
            self._due = True
        elif hot == self.hot:
            self._cool_since = now
        elif ticks_diff(now, self._cool_since) >= _COOLER_MS:
            self.hot = hot
            self._due = True
        if ticks_diff(now, self._energy_at) >= _ENERGY_MS:
            self._energy_at = now
            if energy != self._kept_energy or self.pulses != self._kept_pulses:
                self._due = True

    def step(self, now: int) -> None:
        """Writes what is due. Raises OSError when the flash refuses; the next try is 10 s later."""
        if not self._due or not (self._urgent or ticks_diff(now, self._next) >= 0):
            return
        self._urgent = False
        self._next = ticks_add(now, _SOONEST_MS)
        self._slots.save(
            {
                "boots": self.boots,
                "cause": self.cause,
                "trips": self.trips,
                "current": self.current,
                "energy": self.energy,
                "pulses": self.pulses,
                "hot": self.hot,
            }
        )
        self._due = False
        self._kept_energy = self.energy
        self._kept_pulses = self.pulses
