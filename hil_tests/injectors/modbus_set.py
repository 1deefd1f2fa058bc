"""A test set that speaks Modbus, whose profile says which register is what: no address stands here.

Names in the profile: `amps`, `volts`, `residual`, `celsius` (set points, access "rw", as far as it has them), `output`
(a coil, or a holding register of type bool or u16: true lets it flow), `flows` (a bool or bit that is true while the
circuit is closed) or `trip_time` (seconds of its own clock; `absent` while nothing has opened), or both.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from gateway.bus.transport import Line
from gateway.errors import ConfigurationError, GewuError
from gateway.profile.decode import decode, encode
from gateway.profile.model import Profile, Register
from gateway.records import Value
from hil_tests.hil.bench_file import InjectorTable
from hil_tests.injectors.injector import InstrumentTrouble, Quantity, TripTime
from hil_tests.injectors.limits import Limits, Stopwatch

T = TypeVar("T")
QUANTITIES: tuple[Quantity, ...] = ("amps", "volts", "residual", "celsius")


class ModbusSet:
    """See `Injector`."""

    def __init__(
        self,
        table: InjectorTable,
        profile: Profile,
        line: Line,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Takes the set over, switched off. ConfigurationError when the profile lacks what is needed."""
        self.name = table.name or f"{profile.head.vendor} {profile.head.model}".strip() or profile.name
        self._table, self._profile, self._line = table, profile, line
        self._limits = Limits(table)
        self._watch = Stopwatch(now, sleep, table.reading_s)
        names = profile.by_value
        if "output" not in names or not names.keys() & {"flows", "trip_time"} or not names.keys() & set(QUANTITIES):
            raise ConfigurationError(
                f'The profile "{profile.name}" describes no test set: it needs `output`, `flows` or `trip_time`, and '
                f"one of {', '.join(QUANTITIES)}."
            )
        try:
            self._off()
        except BaseException:
            line.close()
            raise

    def describe(self) -> dict[str, Any]:
        clock = "its own clock" if "trip_time" in self._profile.by_value else "the gaps between two readings"
        return {
            "maker": self._profile.head.vendor or "-",
            "model": self._table.name or self._profile.head.model or self._profile.name,
            "serial": self._table.serial or "-",
            "uncertainty": f"{self._table.uncertainty_percent:g} % of the value; times by {clock} (k = 2)",
        }

    def apply(
        self,
        circuit: str,
        *,
        amps: float | None = None,
        volts: float | None = None,
        residual: float | None = None,
        celsius: float | None = None,
    ) -> None:
        given = {"amps": amps, "volts": volts, "residual": residual, "celsius": celsius}
        wanted = {name: given[name] for name in QUANTITIES if given[name] is not None}
        for name, value in wanted.items():
            self._prepare(circuit, name, value or 0.0)
        if wanted:
            self._guarded(lambda: self._write("output", True))

    def trip_time(self, circuit: str, *, quantity: Quantity, value: float, timeout_s: float) -> TripTime:
        self._prepare(circuit, quantity, value)
        found = self._guarded(lambda: self._clocked(value, timeout_s))
        self.rest(circuit)
        return found

    def rest(self, circuit: str) -> None:
        self._off()

    def close(self) -> None:
        try:
            self._off()
        finally:
            self._line.close()

    def _prepare(self, circuit: str, quantity: Quantity, value: float) -> None:
        self._limits.check(circuit, quantity, value)
        if quantity not in self._profile.by_value:
            raise InstrumentTrouble(f"{self.name} gives no {quantity}: its profile has no such set point.")
        self._guarded(lambda: self._set(quantity, value))

    def _set(self, quantity: Quantity, value: float) -> None:
        self._write(quantity, value)
        found = self._read(quantity)
        if not isinstance(found, int | float) or abs(found - value) > max(
            abs(self._profile.by_value[quantity].scale), self._limits.uncertainty(value)
        ):
            raise InstrumentTrouble(f"{self.name} was set to {value:g} and says {found}: look at its own limits.")

    def _clocked(self, value: float, timeout_s: float) -> TripTime:
        if "flows" not in self._profile.by_value and self._is_open():
            raise InstrumentTrouble(f"{self.name} still shows an older trip time: clear it at its panel.")
        clocked = self._watch.clock(
            lambda: self._write("output", True), self._is_open, timeout_s, value, self._limits.uncertainty(value)
        )
        own = self._read("trip_time") if "trip_time" in self._profile.by_value else None
        if isinstance(own, int | float) and clocked.seconds is not None:
            step = abs(self._profile.by_value["trip_time"].scale)
            return TripTime(float(own), step, value, clocked.value_uncertainty)
        return clocked

    def _is_open(self) -> bool:
        if "flows" in self._profile.by_value:
            return not self._read("flows")
        return self._read("trip_time") is not None

    # --- registers --------------------------------------------------------------------------------

    def _register(self, name: str) -> Register:
        return self._profile.by_value[name]

    def _read(self, name: str) -> Value | None:
        register = self._register(name)
        words = self._asked(
            lambda: self._line.read(self._table.address, register.kind, register.address, register.size)
        )
        return decode(register, words)[0].get(name)

    def _write(self, name: str, value: float | bool) -> None:
        register = self._register(name)
        numeric = register.kind != "coil" and register.type != "bool"
        words = encode(register, int(value) if isinstance(value, bool) and numeric else value)
        unit = self._table.address
        if register.kind == "coil":
            self._asked(lambda: self._line.write_coil(unit, register.address, bool(words[0])))
        else:
            self._asked(lambda: self._line.write_registers(unit, register.address, words))

    def _asked(self, exchange: Callable[[], T]) -> T:
        try:
            return exchange()
        except InstrumentTrouble:
            raise
        except GewuError as error:
            raise InstrumentTrouble(f"{self.name}: {error}") from error

    def _guarded(self, work: Callable[[], T]) -> T:
        """Whatever goes wrong in `work`, the output is off before anyone hears of it."""
        try:
            return work()
        except BaseException as error:
            try:
                self._off()
            except InstrumentTrouble as worse:
                raise worse from error
            raise

    def _off(self) -> None:
        for _ in range(3):  # a frame may be lost, and off is what counts
            try:
                self._write("output", False)
                if not self._read("output"):
                    return
            except InstrumentTrouble:
                continue
        raise InstrumentTrouble(
            f"{self.name} cannot be switched off from here: SWITCH IT OFF BY HAND NOW, then look at its cable."
        )
