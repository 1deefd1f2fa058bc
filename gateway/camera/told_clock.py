"""The gateway's clock in its camera process: what a machine without the time has learned, the cameras know, too."""

from gateway.camera.task import Told
from gateway.clock import Clock, SystemClock
from gateway.records import ClockState


class ToldClock(SystemClock):
    """Monotonic time is the boot's, and so the same in both processes; the rest is as the gateway told it last."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    def tell(self, told: Told) -> None:
        """The gateway's time changed."""
        self._told = told

    def wall_ms(self) -> int:
        return self.mono_ms() + self._told.zero

    def state(self) -> ClockState:
        return self._told.clock


def told(clock: Clock) -> Told:
    """The time by `clock`, for the camera process."""
    return Told(zero=clock.wall_ms() - clock.mono_ms(), clock=clock.state())
