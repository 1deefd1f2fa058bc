"""Puts the parts of the board together and runs them: the map of the firmware, and its one loop.

The loop waits on the bus, then lets each part take one short step; nothing in it waits. While an answer to the
bus is due only the bus runs. A part that raises is reported on USB and misses its heartbeat, the others go on,
and a part that stays silent lets the watchdog restart the board. Ctrl-C ends the loop and gives the REPL.
"""

import gc
import select
import sys
from time import ticks_ms, ticks_us

from board import SERVICE_MS, Board
from heartbeat import TIMEOUT_MS, Heartbeat
from live import Live
from memory import Memory
from micropython import const
from modbus import Slave
from panel import Panel
from registers import Bank
from report import Report
from sensor import Waiting
from service import Service
from version import VERSION

_SLEEP_MS = const(20)  # longest wait; bytes of the bus end it at once

# The parts that must beat, by number.
_BUS, _METER, _ROLE, _REPORT = const(0), const(1), const(2), const(3)


def character_us(settings) -> int:
    """Wire time of one character, rounded up: start, 8 data, parity, stop bits."""
    bits = 9 + settings.stopbits + (0 if settings.parity == "N" else 1)
    return (bits * 1_000_000 + settings.baud - 1) // settings.baud


def open_board(settings):
    """The board with its pins; wrong pin numbers make it a board without settings."""
    try:
        return settings, Board(settings.pins, settings.role)
    except (ValueError, KeyError) as error:
        from settings import Settings

        fallback = Settings()
        fallback.trouble = "pins: %s" % error
        return fallback, Board({})


def read_settings():
    """The settings of this board, without the module that checked them: the heap needs the room."""
    import settings

    result = settings.load()
    for name in ("settings", "protection_settings"):
        sys.modules.pop(name)
    return result


def open_bank(role: str) -> Bank:
    """The registers of the role; the table of the other is let go."""
    import table

    bank = Bank(table.BREAKER if role == "breaker" else table.SENSOR)
    del table.BREAKER, table.SENSOR
    return bank


def open_meter(board, settings, now: int):
    """(the metering chip's driver, its UART). Only the driver that is needed is loaded."""
    if settings.meter == "ade7953":
        from ade7953 import BAUD, Ade7953

        uart = board.meter_uart(BAUD)
        return Ade7953(uart, settings.shunt_uohm, settings.divider, now), uart
    from bl0942 import Bl0942

    uart = board.meter_uart(settings.meter_baud)
    return Bl0942(uart, settings.shunt_uohm, settings.divider, now), uart


def make_role(board, settings, meter, memory, live, now: int):
    """The breaker or the sensor, with its field. Raises ValueError where something fitted has no pin."""
    if settings.role == "breaker":
        from breaker import Breaker
        from field_breaker import FieldOfBreaker

        return Breaker(
            board, settings, meter, memory, live, now, FieldOfBreaker(board, settings, meter, live.bank, now)
        )
    from field_sensor import FieldOfSensor
    from sensor import Sensor

    return Sensor(settings, meter, memory, live, now, FieldOfSensor(board, settings, memory, live.bank, now))


class App:
    """One running board. Construction opens everything, `run` never returns but for Ctrl-C."""

    def __init__(self, safe: bool, folder: str, record: dict) -> None:
        """`safe` leaves measuring and moving out; `folder` and `record` are what `start` chose."""
        now = ticks_ms()
        settings, board = open_board(read_settings())
        if not settings.serial:
            settings.serial = board.name()  # so that it can be told from its neighbours
        bank = open_bank(settings.role)
        memory = Memory(now)
        live = Live(bank, settings, memory.boots, board.reset_cause(), now)
        self.board = board
        self.sleep_ms = _SLEEP_MS
        self.memory = memory
        self.live = live
        self.service = Service(bank, settings, memory, board, folder, record, now)
        self.panel = Panel(board, bank, now)
        self.poll = select.poll()
        self._start_bus(settings, bank)
        self._start_role(settings, safe, now)
        self.service.attach(self.bus, self.meter, self.role, self.panel)
        self._start_report(settings, bank, now)
        beats = 4 if self.meter else 3  # without settings there is no meter to wait for
        self.heart = Heartbeat(board.watchdog(TIMEOUT_MS), beats, now)
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

    def _start_bus(self, settings, bank) -> None:
        uart = self.board.bus_uart(settings.baud, settings.parity, settings.stopbits)
        self.poll.register(uart, select.POLLIN)
        name = bank.name if settings.configured else b"gewu-unconfigured"
        objects = {0: bank.vendor, 1: name, 2: VERSION, 4: name, 5: bank.model, 0x80: settings.serial}
        self.bus = Slave(
            uart,
            self.board.bus_de,
            bank,
            settings.address,
            character_us(settings),
            objects,
            self.panel.written,
            self.service.inbox,
            ticks_us(),
        )

    def _start_role(self, settings, safe: bool, now: int) -> None:
        if safe or not settings.configured:
            self.meter = None
            self.role = Waiting(self.live)
            return
        self.meter, uart = open_meter(self.board, settings, now)
        self.poll.register(uart, select.POLLIN)
        self.meter.energy = self.memory.energy
        self.sleep_ms = min(_SLEEP_MS, self.meter.pause_ms)
        try:
            self.role = make_role(self.board, settings, self.meter, self.memory, self.live, now)
        except (ValueError, KeyError, OSError) as error:
            # A wrong pin of a sensor must not cost the protection: without any of them, and said on USB.
            settings.trouble = "fitted: %s" % error
            settings.fitted = ()
            self.role = make_role(self.board, settings, self.meter, self.memory, self.live, now)
        self.meter.arm(getattr(self.role, "fast_ma", 0), getattr(self.role, "fast_decivolt", 0))
        self.panel.quiet = self.live.mask(b"meter_fault") | self.live.mask(b"door_open", b"inputs") << 16

    def _start_report(self, settings, bank, now: int) -> None:
        taker = select.poll()
        taker.register(sys.stdout, select.POLLOUT)

        def writable() -> bool:
            for _ in taker.ipoll(0):
                return True
            return False

        self.report = Report(sys.stdout.buffer, writable, gc.collect, bank, settings, now)

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
