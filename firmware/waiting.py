"""The role of a board that does not know yet what it is, or must not act on it. It moves and measures nothing."""

from reading import MARKED, SIGNED_UNFITTED, UNFITTED
from registers import INPUT


class Waiting:
    """A board without valid settings or in safe mode: it answers and says so. Without settings it knows no shunt."""

    def __init__(self, live) -> None:
        self.live = live
        self.alarms = 0
        self.attention = True
        self._safe = live.mask(b"safe_mode")
        bank = live.bank
        for name in MARKED:
            signed = name.endswith(b"temperature")
            bank.put(INPUT, bank.at(name), SIGNED_UNFITTED if signed else UNFITTED)

    def step(self, now: int) -> None:
        self.live.state(self._safe)
