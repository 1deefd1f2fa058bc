"""What is fitted to a board beside its metering chip, as its pins see it. Pure: time is handed in, in seconds.

Contacts, a motion sensor, a thermistor, a gas sensor, a DS18B20, an SHT3x and a residual-current module, each from
the board's world. Where a number is the rig's own and of no data sheet, it says so.
"""

import math
from dataclasses import dataclass, field

from hil_tests.rig.circuit import Circuit

SHT3X = 0x44
_SHT3X_S = 0.015  # a measurement of high repeatability takes at most this (data sheet)
_SUPPLY_UV = 3_300_000
_NTC_OHM, _NTC_BETA, _NTC_SERIES = 10_000, 3950, 2200

# The residual-current module: 30 mA, its output X1 proportional with 4.85 V beyond the range and X12 released below
# 10 mA for 1.2 s (Bender RCMB102, operating manual TGH1475en); zero and slope of X1 are the rig's own.
RESIDUAL_ZERO_MV, RESIDUAL_UA_PER_MV, RESIDUAL_DIVIDER = 500, 7, 2
_RATED_MA, _RELEASE_MA, _RELEASE_S = 30.0, 10.0, 1.2
_BEYOND_MV = 4850
# Its longest disconnection times are those of IEC 60755; it takes half of them here (the rig's own choice).
_DISCONNECTS_S = ((5.0, 0.02), (2.0, 0.075), (1.0, 0.15))


def crc8(data: bytes, polynomial: int = 0x31, start: int = 0xFF) -> int:
    """Sensirion's CRC-8 (data sheet): of BEEFh it is 92h."""
    crc = start
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ polynomial) & 0xFF if crc & 0x80 else crc << 1
    return crc


def crc8_dallas(data: bytes) -> int:
    """The CRC-8 of 1-Wire, lowest bit first."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


def sht3x_answer(celsius: float, percent: float) -> bytes:
    """The six bytes of a measurement."""
    words = (
        round((min(max(celsius, -45.0), 130.0) + 45) / 175 * 65535),
        round(min(max(percent, 0.0), 100.0) / 100 * 65535),
    )
    return b"".join(word.to_bytes(2, "big") + bytes([crc8(word.to_bytes(2, "big"))]) for word in words)


def ds18b20_scratchpad(celsius: float) -> bytes:
    """The nine bytes after a conversion of 12 bits."""
    raw = round(min(max(celsius, -55.0), 125.0) * 16) & 0xFFFF
    body = raw.to_bytes(2, "little") + b"\x4b\x46\x7f\xff" + bytes([0x10 - (raw & 0xF)]) + b"\x10"
    return body + bytes([crc8_dallas(body)])


def thermistor_uv(celsius: float) -> int:
    """Microvolts between the thermistor (to 3.3 V) and its resistor (to ground)."""
    ohm = _NTC_OHM * math.exp(_NTC_BETA * (1 / (celsius + 273.15) - 1 / 298.15))
    return round(_SUPPLY_UV * _NTC_SERIES / (_NTC_SERIES + ohm))


@dataclass
class ResidualModule:
    """The module's two outputs. `tripped` is X12 (high where True), and high while it has no power."""

    tripped: bool = False
    _since: float | None = None
    _calm: float | None = None

    def see(self, milliampere: float, now: float) -> float | None:
        """Call at each change and when it asked for: seconds until it has to look again, None where nothing waits."""
        if not self.tripped:
            self._calm = None
            times = [seconds for factor, seconds in _DISCONNECTS_S if milliampere >= factor * _RATED_MA]
            if not times:
                self._since = None
                return None
            self._since = now if self._since is None else self._since
            left = self._since + times[0] - now
            if left > 0:
                return left
            self.tripped = True
        self._since = None
        if milliampere >= _RELEASE_MA:
            self._calm = None
            return None
        self._calm = now if self._calm is None else self._calm
        left = self._calm + _RELEASE_S - now
        if left > 0:
            return left
        self.tripped = False
        return None

    def analogue_mv(self, milliampere: float) -> float:
        """X1."""
        inside = RESIDUAL_ZERO_MV + milliampere * 1000 / RESIDUAL_UA_PER_MV
        return _BEYOND_MV if self.tripped or milliampere >= _RATED_MA else min(inside, _BEYOND_MV)


@dataclass
class Periphery:
    """All of it for one board. `pins` by name; `fitted` as in the settings."""

    pins: dict[str, int]
    fitted: tuple[str, ...]
    module: ResidualModule = field(default_factory=ResidualModule)

    def lines(self, circuit: Circuit) -> list[bytes]:
        """What the control terminal says of the world as it is now: levels, microvolts, a scratchpad, an SHT3x."""
        said = [b"I %d %d" % (self.pins[name], level) for name, level in self._levels(circuit).items()]
        said += [b"A %d %d" % (self.pins[name], volts) for name, volts in self._microvolts(circuit).items()]
        if "ds18b20" in self.fitted:
            pad = b"" if circuit.probe_fault else ds18b20_scratchpad(circuit.temperature)
            said.append(b"O %d =%s" % (self.pins["onewire"], pad.hex().encode()))
        if "sht3x" in self.fitted:
            said.append(b"X %d =%s" % (SHT3X, self.measured(circuit).hex().encode()))
        return said

    def measured(self, circuit: Circuit) -> bytes:
        """The SHT3x's answer."""
        return sht3x_answer(circuit.temperature, circuit.humidity)

    def measuring_s(self, command: bytes) -> float | None:
        """Seconds that the SHT3x takes for a command; None for one that it does not know."""
        return _SHT3X_S if command == b"\x24\x00" else None

    def _levels(self, circuit: Circuit) -> dict[str, int]:
        levels = {
            "smoke": not circuit.smoke,
            "water": not circuit.water,
            "arc": not circuit.arc,
            "sos": not circuit.sos,
            "door": circuit.door,  # the reed opens with the door
            "motion": circuit.motion,
            "residual_output": circuit.module_fault or self.module.tripped,
        }
        return {name: int(level) for name, level in levels.items() if name in self.fitted}

    def _microvolts(self, circuit: Circuit) -> dict[str, int]:
        volts: dict[str, float] = {}
        if "ntc" in self.fitted:
            uv = {0: thermistor_uv(circuit.temperature), 1: 0, 2: _SUPPLY_UV}[round(circuit.probe_fault)]
            volts["ntc"] = uv
        if "gas" in self.fitted:
            volts["gas"] = circuit.gas * 1e6
        if "residual" in self.fitted:
            output = 0.0 if circuit.module_fault else self.module.analogue_mv(circuit.leaks() * 1000)
            volts["residual"] = output * 1000 / RESIDUAL_DIVIDER
        return {name: round(value) for name, value in volts.items()}
