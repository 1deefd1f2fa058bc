"""One virtual board: its process, and the hardware around it that the rig plays.

Pins, watchdog, reset, USB and metering chip of one board. What the firmware does with them is its own
affair; nothing here reads a frame, a register or a setting beyond the wiring.
"""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hil_tests.rig import ade7953, bl0942
from hil_tests.rig.ade7953 import Ade7953
from hil_tests.rig.bl0942 import Bl0942
from hil_tests.rig.circuit import Circuit
from hil_tests.rig.hub import Port
from hil_tests.rig.loop import Loop, Timer
from hil_tests.rig.periphery import Periphery
from hil_tests.rig.process import Process
from hil_tests.rig.site import Board, Bus
from hil_tests.rig.terminal import Terminal
from hil_tests.rig.usb import Usb

# Causes of a reset as the ESP32 port of MicroPython numbers them.
POWER, HARD, WATCHDOG, SOFT = 1, 2, 3, 5
OPENING_S = 0.010  # from the pulse on the trip coil to the open contact
_CLOSING_S = 0.15  # a motor, while its pin is driven
_CYCLE_S = 0.020  # of the mains: the chip's fast element looks once in it
_PULSE_S = 0.040  # a meter's pulse, and the pause after it
_BACK_OFF_S, _LONGEST_BACK_OFF_S = 0.2, 5.0
_STABLE_S = 2.0  # who lived so long does not die at its start


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the board is wired: pins by number, shunt in microohm, divider mains to pin, both as they really are."""

    trip: int
    contact: int
    shunt_uohm: float
    divider: float
    pins: dict[str, int]  # of what is fitted, by name


class Device:
    """A board with its world. All methods run in the loop's thread."""

    def __init__(
        self,
        loop: Loop,
        board: Board,
        bus: Bus,
        wiring: Wiring,
        flash: Path,
        interpreter: Path,
        opened: Callable[[str, int], None],
    ) -> None:
        """`opened(board id, Unix ms)` is called when the trip coil has opened the contact."""
        self.board, self.circuit, self.ready = board, Circuit(board), False
        self._loop, self._wiring, self._flash, self._opened = loop, wiring, flash, opened
        self._usb = Usb(loop)
        self._control, self._meter_line = Terminal(blocking_reads=False), Terminal(blocking_reads=False)
        self.port = Port(board.id, Terminal(blocking_reads=False), bus.baud, bus.parity, bus.bits)
        self.port.silent, self.port.stuck, self.port.swapped = board.silent, board.stuck, board.swapped
        quick = board.meter == "ade7953"
        chip = Ade7953 if quick else Bl0942
        self._meter: Ade7953 | Bl0942 = chip(wiring.shunt_uohm, wiring.divider, loop.now())
        self._meter_bauds = (ade7953.BAUD,) if quick else bl0942.BAUDS
        self._meter_baud = 0
        self._periphery = Periphery(wiring.pins, tuple(board.fitted))
        self._said: dict[bytes, bytes] = {}  # of the world, to the board's pins
        self._fast = self._looking = self._enabled = False
        self._looks: dict[str, Timer] = {}
        self._process = Process(loop, interpreter, self._ended)
        self._cause: int | None = None
        self._booted = False
        self._started_at = 0.0
        self._back_off = _BACK_OFF_S
        self._lines = b""
        self._coil = False
        self._watchdog_s: float | None = None
        self._bite: Timer | None = None
        self._restart: Timer | None = None
        loop.watch(self._control.master, self._from_pins)
        loop.watch(self._meter_line.master, self._from_meter_line)

    @property
    def pid(self) -> int | None:
        """The process that is this board now; None for the moment between two."""
        return self._process.pid

    @property
    def booted(self) -> bool:
        """MicroPython runs."""
        return self._booted

    @property
    def usb(self) -> str:
        """The terminal at which tools find its REPL."""
        return self._usb.path

    def start(self, cause: int = POWER) -> None:
        """Power on, or boot again for `cause`."""
        self._restart = None
        self._started_at = self._loop.now()
        self._lines = b""
        for terminal in (self._control, self._meter_line, self.port.terminal):
            terminal.discard_unread()
        self._usb.board_boots()
        self._said.clear()
        self._fast = self._enabled = False
        self._show_contact()
        self._show_world()
        environment = {
            "GEWU_RIG_FLASH": str(self._flash),
            "GEWU_RIG_CONTROL": self._control.path,
            "GEWU_RIG_UART1": self.port.terminal.path,
            "GEWU_RIG_UART2": self._meter_line.path,
            "GEWU_RIG_UNIQUE_ID": hashlib.sha256(self.board.id.encode()).hexdigest()[:12],
            "GEWU_RIG_RESET_CAUSE": str(cause),
            "GEWU_RIG_MAIN": "0" if self._usb.raw else "1",
        }
        self._process.start(self._usb.console, environment, self.board.heap_kb)

    def inject(self, values: dict[str, float]) -> None:
        """Change the world of this board (values from `circuit.parse_injection`)."""
        self._measure()
        self.circuit.inject(values)
        self._measure()
        self._show_contact()
        self._show_world()
        self._pulse(round(values.get("pulses", 0)))
        if self._coil:  # an energised coil does not let the lever stay up
            self._loop.after(OPENING_S, self._open)
        self.port.silent = bool(values.get("silent", self.port.silent))
        self.port.stuck = bool(values.get("stuck", self.port.stuck))
        self.port.swapped = bool(values.get("swapped", self.port.swapped))
        if values.get("kill"):
            self._process.kill()

    def close(self) -> None:
        """End the process and give back the terminals."""
        for timer in (self._bite, self._restart, *self._looks.values()):
            if timer is not None:
                timer.cancel()
        self._process.close()
        self._usb.close()
        for terminal in (self._control, self._meter_line):
            self._loop.unwatch(terminal.master)
            terminal.close()
        self.port.terminal.close()

    # --- Life and death ---------------------------------------------------------------------------

    def _ended(self, status: int) -> None:
        self._from_pins()
        self._booted = self._coil = False
        self._pin(self._wiring.pins["close"], 0)
        wait = self._next_wait(status)
        cause = self._cause or (POWER if os.WIFSIGNALED(status) else SOFT)
        self._cause = None
        self._usb.board_ended(soft=cause == SOFT)
        if cause != SOFT:  # a soft reset leaves the watchdog running, as on the board
            self._arm(None)
        self._restart = self._loop.after(wait, lambda: self.start(cause))

    def _next_wait(self, status: int) -> float:
        """Seconds until the board boots again: a soft reset is quick, dying again and again is not."""
        if status == 0:
            return 0.0
        lived = self._loop.now() - self._started_at
        wait = self._back_off if lived < _STABLE_S else _BACK_OFF_S
        self._back_off = min(wait * 2, _LONGEST_BACK_OFF_S)
        return wait

    def _reset(self, cause: int) -> None:
        if self._process.pid is not None:
            self._cause = cause
            self._process.kill()

    def _arm(self, seconds: float | None) -> None:
        self._watchdog_s = seconds
        if self._bite is not None:
            self._bite.cancel()
        self._bite = None if seconds is None else self._loop.after(seconds, self._starved)

    def _starved(self) -> None:
        bite = self._bite
        self._from_pins()  # a rig that was late itself must not blame the board
        if self._bite is bite:
            self._reset(WATCHDOG)

    # --- Pins -------------------------------------------------------------------------------------

    def _from_pins(self) -> None:
        *lines, self._lines = (self._lines + self._control.read()).split(b"\n")
        for kind, *words in filter(None, (line.decode("ascii", "replace").split() for line in lines)):
            if kind == "P":
                self._pin(int(words[0]), int(words[1]))
            elif kind == "F" and self._watchdog_s is not None:
                self._arm(self._watchdog_s)
            elif kind == "W":
                # One feeding in eight of the time-out is told: the rig waits that much longer.
                self._arm(int(words[0]) * 1.125 / 1000)
            elif kind == "U":
                self._uart(words)
            elif kind == "C":
                self._i2c(int(words[0]), bytes.fromhex(words[1]))
            elif kind == "R":
                self._reset(HARD)
            elif kind == "H":
                self._booted = True
                self._usb.board_listens()

    def _pin(self, number: int, level: int) -> None:
        if number == self._wiring.trip and self.board.profile == "gewu-breaker":
            self._coil = bool(level)
            if level:
                self._loop.after(OPENING_S, self._open)
        if number == self._wiring.pins["close"]:
            if level:
                self._later("close", _CLOSING_S, self._close_contact)
            elif "close" in self._looks:
                self._looks.pop("close").cancel()
        if number == self._wiring.pins["fast_enable"] and "fast_output" in self.board.fitted:
            self._enabled = bool(level)

    def _open(self) -> None:
        if self.circuit.closed:
            self._measure()
            self.circuit.closed = False
            self._measure()
            self._show_contact()
            self._show_world()
            self._opened(self.board.id, time.time_ns() // 1_000_000)

    def _close_contact(self) -> None:
        """The closing actuator; against an energised trip coil it does not prevail."""
        if not self.circuit.closed and not self._coil:
            self.inject({"handle": 1.0})

    def _show_contact(self) -> None:
        self._control.write(b"I %d %d\n" % (self._wiring.contact, self.circuit.closed))

    # --- What is fitted beside the metering chip --------------------------------------------------

    def _show_world(self) -> None:
        """Tell the board's pins what is new in its world; the module's trip output opens by itself."""
        module = self._periphery.module
        if "residual" in self.board.fitted or "residual_output" in self.board.fitted:
            wait = module.see(self.circuit.leaks() * 1000, self._loop.now())
            if wait is not None:
                self._later("module", wait, self._show_world)
            if module.tripped and "residual_output" in self.board.fitted and self.circuit.closed:
                self._later("latch", OPENING_S, self._open)
        for line in self._periphery.lines(self.circuit):
            self._say(line)

    def _say(self, line: bytes) -> None:
        about, value = line.rsplit(b" ", 1)
        if self._said.get(about) != value:
            self._said[about] = value
            self._control.write(line + b"\n")

    def _later(self, what: str, seconds: float, action: Callable[[], None]) -> None:
        """Once, in `seconds`; whatever waited for the same is let go."""
        if what in self._looks:
            self._looks[what].cancel()
        self._looks[what] = self._loop.after(max(seconds, 0.001), action)

    def _i2c(self, address: int, command: bytes) -> None:
        seconds = self._periphery.measuring_s(command)
        if "sht3x" in self.board.fitted and seconds is not None:
            answer = b"X %d =%s" % (address, self._periphery.measured(self.circuit).hex().encode())
            self._said.pop(b"X %d" % address, None)
            self._later("sht3x", seconds, lambda: self._say(answer))

    def _pulse(self, count: int) -> None:
        """`count` pulses of a meter: to ground and back."""
        if count > 0 and "pulse" in self.board.fitted:
            pin = self._wiring.pins["pulse"]
            self._control.write(b"I %d 0\n" % pin)
            self._looks["pulse"] = self._loop.after(_PULSE_S, lambda: self._let_go(pin, count))

    def _let_go(self, pin: int, count: int) -> None:
        self._control.write(b"I %d 1\n" % pin)
        self._looks["pulse"] = self._loop.after(_PULSE_S, lambda: self._pulse(count - 1))

    def _look_fast(self) -> None:
        """The chip's own element: its pin, and the latch that opens without the firmware."""
        self._looking = False
        fast = self._meter.alarm
        if fast != self._fast:
            self._fast = fast
            self._say(b"I %d %d" % (self._wiring.pins["fast_output"], fast))
            if fast and self._enabled and self.circuit.closed:
                self._later("latch", OPENING_S, self._open)

    def _uart(self, words: list[str]) -> None:
        baud, bits, parity, stop = int(words[1]), int(words[2]), words[3], int(words[4])
        if words[0] == "1":
            self.port.baud, self.port.parity = baud, parity
            self.port.bits = 1 + bits + (parity != "N") + stop
        else:
            self._meter_baud = baud

    # --- Metering chip ----------------------------------------------------------------------------

    def _measure(self) -> None:
        now = self._loop.now()
        self._meter.see(self.circuit.mains(now), now)
        if "fast_output" in self.board.fitted and not self._looking:
            self._looking = True
            self._looks["fast"] = self._loop.after(_CYCLE_S, self._look_fast)

    def _from_meter_line(self) -> None:
        request = self._meter_line.read()
        if self._meter_baud not in self._meter_bauds:
            return  # the chip hears noise at any other speed
        self._measure()
        answer = self._meter.receive(request, self._loop.now())
        if answer:
            # Request and answer take their time on the line, ten bits a character.
            seconds = (len(request) + len(answer)) * 10 / self._meter_baud
            self._loop.after(seconds, lambda: self._answer(answer))

    def _answer(self, answer: bytes) -> None:
        self._meter_line.write(answer)
