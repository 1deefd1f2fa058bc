"""The closing actuator, where one is fitted: one pulse for one authorised command. It never closes by itself."""

from time import ticks_diff

from micropython import const

_NOT_FITTED = const(9)
_PULSE_MS = const(300)


class Closing:
    """`pin` drives the actuator, high closes; `fitted` False makes every command an error."""

    def __init__(self, pin, fitted: bool) -> None:
        self._pin = pin
        self._fitted = fitted
        self._active = False
        self._since = 0

    def begin(self, now: int, refusal: int) -> int:
        """0, or why not: the `refusal` of the protection first."""
        if refusal:
            return refusal
        if not self._fitted:
            return _NOT_FITTED
        self._active = True
        self._since = now
        self._pin.value(1)
        return 0

    def step(self, now: int, refusal: int) -> None:
        """Ends the pulse in time, and at once when something stands against closing."""
        if self._active and (refusal or ticks_diff(now, self._since) >= _PULSE_MS):
            self._active = False
            self._pin.value(0)
