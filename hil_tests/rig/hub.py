"""One RS-485 pair between real files: the master's port and the boards' UARTs, paced by a `Wire`.

It moves characters when their time has come and applies the faults that are set. It never looks inside
a frame. The master's end is a pseudo-terminal at `link`; pulling the adapter out removes both.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hil_tests.rig.circuit import parse_pairs
from hil_tests.rig.loop import Loop, Timer
from hil_tests.rig.site import Bus
from hil_tests.rig.terminal import Terminal
from hil_tests.rig.wire import Counters, Faults, Wire, inverted

NUMBERS = {
    "noise": (0.0, 1.0), "drop": (0.0, 1.0), "collide": (0.0, 1.0), "delay": (0.0, 60.0), "unterminated": (0.0, 1.0),
}  # fmt: skip
FLAGS = ("echo", "unplug", "swapped", "unbiased")
_BREAK = b"\0"  # an idle pair the wrong way round, as a UART reports it: once
_MASTER = ""


@dataclass(slots=True)
class Port:
    """Somebody on the pair. `baud`, `parity` and `bits` (a character's) as that UART is set."""

    name: str
    terminal: Terminal
    baud: int
    parity: str
    bits: int
    silent: bool = False
    stuck: bool = False
    swapped: bool = False  # A and B at this very board
    capture: Callable[[bytes], None] | None = None  # while set, this port is off the pair and speaks to it


class Hub:
    """The pair of `bus`. All methods run in the loop's thread."""

    def __init__(self, loop: Loop, bus: Bus, link: Path, dice: random.Random) -> None:
        self.bus = bus
        self.link = link
        self._loop = loop
        self._wire = Wire(dice, Faults(noise=bus.noise))
        self._ports: dict[str, Port] = {}
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._strays: Timer | None = None
        self._plug()

    @property
    def counters(self) -> Counters:
        """What passed on the pair."""
        return self._wire.counters

    def join(self, port: Port) -> None:
        """A board's UART comes onto the pair."""
        self._ports[port.name] = port
        self._loop.watch(port.terminal.master, lambda: self._hear(port))

    def set_faults(self, pairs: dict[str, str]) -> None:
        """KEY=VALUE pairs; ConfigurationError, nothing changed, names what is wrong."""
        values = parse_pairs(pairs, NUMBERS, FLAGS)
        for key, value in values.items():
            setattr(self._wire.faults, key, bool(value) if key in FLAGS else value)
        self._stray_soon()
        if self._wire.faults.unplug:
            self._unplug()
        elif _MASTER not in self._ports:
            self._plug()
        if _MASTER in self._ports:
            self._ports[_MASTER].swapped = self._wire.faults.swapped

    def close(self) -> None:
        """Take everything off the pair (the boards' terminals are closed by their owners)."""
        if self._strays is not None:
            self._strays.cancel()
        for port in self._ports.values():
            if port.name != _MASTER:
                self._loop.unwatch(port.terminal.master)
        self._unplug()

    def _plug(self) -> None:
        terminal = Terminal(baud=self.bus.baud)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(terminal.path)
        self.join(Port(_MASTER, terminal, self.bus.baud, self.bus.parity, self.bus.bits))

    def _unplug(self) -> None:
        master = self._ports.pop(_MASTER, None)
        if master is not None:
            self._loop.unwatch(master.terminal.master)
            self.link.unlink(missing_ok=True)
            master.terminal.close()

    def _hear(self, port: Port) -> None:
        data = port.terminal.read()
        if not data:
            return
        if port.capture is not None:
            port.capture(data)
        elif port.name == _MASTER:
            port.baud = port.terminal.baud or self.bus.baud
            self._transmit(port, data)
            if port.swapped and not self._wire.faults.unbiased:
                # Its driver lets go, and the bias pulls the pair to what is a break on this side.
                self._loop.after((len(data) + 1) * port.bits / port.baud, lambda: self._fall(port))
        elif not port.silent:
            delay = self._wire.faults.delay
            if delay:
                self._loop.after(delay, lambda: self._transmit(port, data))
            else:
                self._transmit(port, data)

    def _transmit(self, port: Port, data: bytes) -> None:
        self._wire.transmit(port.name, data, port.bits / port.baud, self._loop.now())
        self._schedule()

    def _schedule(self) -> None:
        moment = self._wire.next_time()
        if moment is None or (self._timer is not None and self._timer_at <= moment):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = self._loop.at(moment, self._deliver), moment

    def _deliver(self) -> None:
        self._timer = None
        for name, data in self._wire.due(self._loop.now()):
            talker = self._ports.get(name)
            if talker is not None:
                self._spread(talker, data)
        self._schedule()

    def _spread(self, talker: Port, data: bytes) -> None:
        stuck = any(port.stuck for port in self._ports.values() if port is not talker)
        for port in self._ports.values():
            if port.silent or port.capture is not None or (port is talker and not self._wire.faults.echo):
                continue
            if port.name == _MASTER:
                port.baud = port.terminal.baud or self.bus.baud
            # Stop bits may differ: a receiver looks at the first one only.
            understood = (port.baud, port.parity) == (talker.baud, talker.parity) and not stuck
            said = data if understood else self._wire.garble(data)
            if port.swapped != talker.swapped:
                said = inverted(said)
            port.terminal.write(self._wire.rung(said) if self._wire.faults.unterminated else said)

    def _fall(self, port: Port) -> None:
        if self._ports.get(port.name) is port:
            port.terminal.write(_BREAK)

    def _stray_soon(self) -> None:
        if self._wire.faults.unbiased and self._strays is None:
            self._strays = self._loop.after(self._wire.stray()[0], self._stray)

    def _stray(self) -> None:
        """Everybody's receiver makes its own bytes out of a pair that nobody holds."""
        self._strays = None
        if self._wire.next_time() is None:
            for port in self._ports.values():
                if port.capture is None and not port.silent:
                    port.terminal.write(bytes((self._wire.stray()[1],)))
        self._stray_soon()
