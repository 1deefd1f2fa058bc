"""The instantaneous element by curve and rating, as far as software reaches. Pure.

The standard's row e (below 0.1 s) belongs to the metering chip's pin and the trip latch; this element is its second
line, as slow as the measurement: two measurements in a row, because one frame with a good checksum may carry
fantasy. A meter at full scale counts as above.
"""

# Hundredths of In: the geometric mean of the curve's band (B 3-5, C 5-10, D 10-20 In), the same distance in percent
# from "must not trip" and "must trip". Bands: IEC 60898-1 as quoted in electrical reference "Overcurrent", rows d, e.
_BANDS = {"B": 387, "C": 707, "D": 1414}


def threshold(rating: int, curve: str) -> int:
    """mA at which the instantaneous element acts, in the chip's pin as in software."""
    return rating * 10 * _BANDS[curve]


class Instantaneous:
    """`trips` tells after each step."""

    def __init__(self, rating: int, curve: str) -> None:
        self.threshold = threshold(rating, curve)
        self._high = 0  # measurements in a row above the threshold

    def measured(self, current: int, saturated: bool) -> None:
        """One new measurement, mA."""
        self._high = self._high + 1 if saturated or current >= self.threshold else 0

    def trips(self) -> bool:
        return self._high >= 2

    def forget(self) -> None:
        self._high = 0
