"""The running board: its parts, and its one loop.

The loop waits on the bus, then lets each part take one short step; nothing in it waits. While an answer to the
bus is due only the bus runs. A part that raises is reported on USB and misses its heartbeat, the others go on,
and a part that stays silent lets the watchdog restart the board. Ctrl-C ends the loop and gives the REPL.
How the parts come together is `assembly`'s business.
"""

import gc
import select
import sys
from time import ticks_ms, ticks_us

from board import SERVICE_MS
from loaded import forget
from micropython import const

_SLEEP_MS = const(20)  # longest wait; bytes of the bus end it at once

# The parts that must beat, by number.
_BUS = const(0)
_METER = const(1)
_ROLE = const(2)
_REPORT = const(3)


class App:
    """One running board. Construction opens everything, `run` never returns but for Ctrl-C."""

    def __init__(self, safe: bool, folder: str, record: dict) -> None:
        """`safe` leaves measuring and moving out; `folder` and `record` are what `start` chose."""
        import assembly

        forget("assembly")  # it runs once
        self.poll = select.poll()
        self._taker = select.poll()
        self._taker.register(sys.stdout, select.POLLOUT)
        (
            self.board,
            self.bus,
            self.meter,
            self.role,
            self.panel,
            self.report,
            self.memory,
            self.live,
            self.service,
            self.heart,
        ) = assembly.build(self.poll, self._usb_takes, self._heap_in_use, safe, folder, record, ticks_ms())
        self.sleep_ms = min(_SLEEP_MS, self.meter.pause_ms) if self.meter else _SLEEP_MS
        self._number = (_BUS, _METER, _ROLE, _REPORT) if self.meter else (0, -1, 1, 2)
        # Bound once: to bind a method at each turn would fill the heap.
        self._steps = (
            self.bus.step,
            self.meter.step if self.meter else None,
            self.role.step,
            self._light,
            self.report.step,
            self.memory.step,
            self.service.step,
        )
        assembly.let_go()

    def _usb_takes(self) -> bool:
        """Whether USB takes bytes without waiting."""
        for _ in self._taker.ipoll(0):
            return True
        return False

    def _heap_in_use(self) -> int:
        """Bytes, after a collection."""
        gc.collect()
        return gc.mem_alloc()

    def _guarded(self, number: int, step, now: int) -> None:
        try:
            step(now)
            if number >= 0:
                self.heart.beat(number)
        except Exception as error:
            # Said on USB and paid for with a missed heartbeat: protection must go on meanwhile.
            self.report.trouble = "%s %s" % (type(error).__name__, error)

    def _light(self, now: int) -> None:
        self.live.running(self.bus, now)
        self.panel.step(now, self.role.alarms, self.role.attention)

    def turn(self) -> None:
        """One turn of the loop."""
        for _ in self.poll.ipoll(self.bus.wait_ms(ticks_us(), self.sleep_ms)):
            pass
        bus, meter, role, report = self._number
        bus_step, meter_step, role_step, light, report_step, memory_step, service_step = self._steps
        self._guarded(bus, bus_step, ticks_us())
        if self.bus.answer:
            return
        now = ticks_ms()
        if meter_step:
            self._guarded(meter, meter_step, now)
        self._guarded(role, role_step, now)
        self._guarded(-1, light, now)
        self._guarded(report, report_step, now)
        self._guarded(-1, memory_step, now)
        self._guarded(-1, service_step, now)
        self.heart.step(now)

    def run(self) -> None:
        gc.collect()
        gc.threshold(-1)  # start loaded it with one; the loop collects when it rests
        try:
            while True:
                self.turn()
        except KeyboardInterrupt:
            # The watchdog cannot be stopped: it gets longer, so that service ends in a protecting board.
            self.board.watchdog(SERVICE_MS).feed()
            self.board.rest()
            print("Gewu stopped by Ctrl-C: nothing protects now. machine.reset() starts it again.")


def main(safe: bool, folder: str, record: dict) -> None:
    App(safe, folder, record).run()
