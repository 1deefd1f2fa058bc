"""Whether a camera can see: black, covered, frozen or out of focus; and why not. Pure.

It compares a camera with its own past, because a sharp picture of fog and a soft one of a street look alike.
The numbers are own choices, tried on rendered scenes; docs/cameras.md lists them.
"""

from dataclasses import dataclass

import numpy as np

from gateway.camera.grey import Grey

BLACK_MEAN, BLACK_TOP = 16.0, 40.0
COVERED_SPREAD = 6.0
FOCUS_SHARE = 0.3
FROZEN_S = 30.0
# A state must last for that long and for three looks before it counts, and be gone as long before it is over.
HOLD_S = 6.0
HOLD_LOOKS = 3
HOLD_TROUBLES = 2
_LEARN_LOOKS = 10
_RATE = 0.02


@dataclass
class Blindness:
    """One camera. `live` is False for a folder of stills, where the same picture twice means nothing."""

    live: bool = True
    reason: str | None = None
    _sharp: float = 0.0
    _looks: int = 0
    _last: Grey | None = None
    _same_since: float | None = None
    _pending: str | None = None
    _since: float = 0.0
    _count: int = 0

    def step(self, grey: Grey, sharpness: float, now: float) -> str | None:
        """Why the camera is blind as of this look (monotonic seconds), or None when it sees."""
        found = self._state(grey, sharpness, now)
        if found is None:
            self._learn(sharpness)
        return self.settle(found, now)

    def settle(self, found: str | None, now: float, looks: int = HOLD_LOOKS) -> str | None:
        """The reason that counts once the camera has been blind, or seen, for `looks` looks and HOLD_S."""
        if (found is None) == (self._pending is None) and self._count:
            self._count += 1
        else:
            self._since, self._count = now, 1
        self._pending = found
        if self._count >= looks and now - self._since >= HOLD_S:
            self.reason = found
        return self.reason

    def no_picture(self, reason: str, now: float) -> str | None:
        """The same where no picture came at all, which each time took the source some 10 s to find out."""
        return self.settle(reason, now, HOLD_TROUBLES)

    def _state(self, grey: Grey, sharpness: float, now: float) -> str | None:
        if float(grey.mean()) < BLACK_MEAN and float(np.percentile(grey, 99)) < BLACK_TOP:
            return "black"
        if float(grey.std()) < COVERED_SPREAD:
            return "covered"
        if self.live and self._frozen(grey, now):
            return "frozen"
        if self._looks >= _LEARN_LOOKS and sharpness < FOCUS_SHARE * self._sharp:
            return "defocused"
        return None

    def _frozen(self, grey: Grey, now: float) -> bool:
        """Bit for bit the same for FROZEN_S: a sensor always has some noise."""
        if self._last is None or not np.array_equal(grey, self._last):
            self._last, self._same_since = grey, None
            return False
        if self._same_since is None:
            self._same_since = now
        return now - self._same_since >= FROZEN_S

    def _learn(self, sharpness: float) -> None:
        rate = max(_RATE, 1 / (self._looks + 1))
        self._sharp += rate * (sharpness - self._sharp)
        self._looks += 1
