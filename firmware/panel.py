"""What a person at the board sees, and what anyone on the bus may set: LED, alarm lamp, identify, silence, clock.

None of it moves a breaker. LED: one short flash in 2 s is healthy, half a second on and off asks for attention
(alarm, meter fault, no settings), eight changes a second is "here I am" (identify).
"""

from time import ticks_add, ticks_diff

from micropython import const
from registers import COIL, DISCRETE, HOLDING

_IDENTIFY_S = const(30)  # when only the coil is set
_NUDGE_S = const(60)  # how far the clock may be moved in an hour by anyone on the bus
_HOUR_S = const(3600)


class Panel:
    """`written` is told of every write over the bus, after it was stored."""

    def __init__(self, board, bank, now: int) -> None:
        self.board = board
        self.bank = bank
        self.silenced = False
        self.quiet = 0  # alarms that light the lamp and sound no siren
        self._identify = bank.at(b"identify")
        self._seconds = bank.at(b"identify_seconds")
        self._silence = bank.at(b"silence")
        self._clock = bank.at(b"clock")
        self._lamp = bank.at(b"alarm_lamp")
        self._set = False  # the clock, by anyone: from then on it is only nudged
        self._high = 0
        self._low = 0
        self._budget = _NUDGE_S
        self._hour = 0
        self._alarms = 0
        self._second = ticks_add(now, 1000)
        self._now = now

    def written(self, kind: int, address: int, count: int) -> None:
        if kind == COIL:
            if address <= self._identify < address + count:
                on = self.bank.cells[COIL][self._identify]
                self.bank.put(HOLDING, self._seconds, _IDENTIFY_S if on else 0)
            if address <= self._silence < address + count:
                self.silenced = self.bank.cells[COIL][self._silence] == 1
        elif address <= self._clock < address + count:
            self._nudge()
            self._second = ticks_add(self._now, 1000)  # the second that was set begins now

    def _nudge(self) -> None:
        """A clock that runs gives way by a minute an hour: who broadcasts time has no authority."""
        words = self.bank.cells[HOLDING]
        at = self._clock
        if self._set:
            apart = words[at] - self._high
            # Small integers only: apart in the high word is far enough.
            seconds = _HOUR_S if apart > 1 else -_HOUR_S if apart < -1 else apart * 65536 + words[at + 1] - self._low
            seconds = max(-self._budget, min(seconds, self._budget))
            self._budget -= abs(seconds)
            low = self._low + seconds
            words[at] = (self._high + (low >> 16)) & 0xFFFF
            words[at + 1] = low & 0xFFFF
        self._keep()

    def set_clock(self, high: int, low: int) -> None:
        """By an authorised command, however far away."""
        self.bank.put(HOLDING, self._clock, high)
        self.bank.put(HOLDING, self._clock + 1, low)
        self._keep()

    def _keep(self) -> None:
        words = self.bank.cells[HOLDING]
        self._high = words[self._clock]
        self._low = words[self._clock + 1]
        self._set = self._high > 0 or self._low > 0

    def step(self, now: int, alarms: int, attention: bool) -> None:
        """`alarms`: a bit for each alarm that stands; one that was not there before ends the silence."""
        self._now = now
        if alarms & ~self._alarms:
            self.silenced = False
        self._alarms = alarms
        while ticks_diff(now, self._second) >= 0:
            self._second = ticks_add(self._second, 1000)
            self._tick()
        seconds = self.bank.cells[HOLDING][self._seconds]
        lamp = 1 if alarms and not self.silenced else 0
        self.bank.put_bit(COIL, self._identify, seconds > 0)
        self.bank.put_bit(COIL, self._silence, self.silenced)
        self.bank.put_bit(DISCRETE, self._lamp, lamp == 1)
        self.board.lamp.value(lamp)
        self.board.siren.value(1 if lamp and alarms & ~self.quiet else 0)
        self.board.led.value(self._led(now, seconds > 0, attention or alarms != 0))

    def _tick(self) -> None:
        words = self.bank.cells[HOLDING]
        if words[self._seconds]:
            words[self._seconds] -= 1
        if words[self._clock] or words[self._clock + 1]:
            self.bank.add_long(HOLDING, self._clock, 1)
            self._keep()
        self._hour += 1
        if self._hour == _HOUR_S:
            self._hour = 0
            self._budget = _NUDGE_S

    def _led(self, now: int, identify: bool, attention: bool) -> int:
        if identify:
            return now >> 7 & 1
        if attention:
            return now >> 9 & 1
        return 1 if now & 0x7FF < 60 else 0
