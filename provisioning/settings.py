"""The settings of a board as provisioning writes them: their model and the bytes of a slot.

The board reads them in firmware/settings.py. This module checks what a person asked for and makes bytes; it
never talks to a board.
"""

import binascii
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.errors import ConfigurationError
from provisioning.protection_settings import ProtectionSettings

# The wiring of an ESP32-WROOM that docs/firmware.md shows; the same as in firmware/board.py (a test compares).
PINS = {
    "bus_tx": 17,
    "bus_rx": 16,
    "bus_de": -1,
    "meter_tx": 26,
    "meter_rx": 25,
    "trip": 27,
    "contact": 33,
    "lamp": 32,
    "led": 2,
    "siren": 19,
    "fast_output": 35,
    "fast_enable": 12,
    "residual_output": 23,
    "residual": 36,
    "ntc": 39,
    "gas": 34,
    "onewire": 4,
    "i2c_scl": 22,
    "i2c_sda": 21,
    "arc": 18,
    "smoke": 13,
    "water": 14,
    "door": 18,
    "sos": 23,
    "motion": 35,
    "pulse": 27,
    "residual_test": 13,
    "latch_block": 14,
    "over_capacity": 34,
    "lockout": 22,
    "acknowledge": 21,
    "close": -1,
}

PinName = Literal[
    "bus_tx", "bus_rx", "bus_de", "meter_tx", "meter_rx", "trip", "contact", "lamp", "led",
    "siren", "fast_output", "fast_enable", "residual_output", "residual", "ntc", "gas", "onewire", "i2c_scl", "i2c_sda",
    "arc", "smoke", "water", "door", "sos", "motion", "pulse",
    "residual_test", "latch_block", "over_capacity", "lockout", "acknowledge", "close",
]  # fmt: skip
# What may be fitted beside the metering chip, by role; as in firmware/settings.py (a test compares).
FITTED: dict[str, tuple[str, ...]] = {
    "breaker": (
        "residual", "residual_output", "residual_test", "fast_output", "over_capacity", "arc", "lockout", "acknowledge",
        "ntc", "ds18b20", "siren",
    ),
    "sensor": (
        "ntc", "ds18b20", "sht3x", "smoke", "water", "door", "sos", "motion", "pulse", "gas", "arc", "siren",
    ),
}  # fmt: skip
PinNumber = Annotated[int, Field(ge=-1, le=39)]


class BoardSettings(BaseModel):
    """What one board is. Ranges are those that firmware/settings.py accepts."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    role: Literal["breaker", "sensor"]
    serial: str = Field(pattern=r"^[!#-\[\]-~]{1,16}$", description="1 to 16 printable ASCII characters")
    address: int = Field(ge=1, le=247)
    baud: int = Field(9600, ge=300, le=1_000_000)
    parity: Literal["N", "E"] = "N"
    stopbits: Literal[1, 2] = 1
    rating: int = Field(ge=1, le=125, description="rated current In, A")
    curve: Literal["B", "C", "D"] = "C"
    shunt_uohm: int | None = Field(None, ge=10, le=100_000, description="microohm; 1600 // rating where absent")
    divider: int = Field(5789, ge=100, le=20_000, description="mains voltage over pin voltage")
    current_ppm: int | None = Field(
        None, ge=-100_000, le=100_000, description="calibration: millionths over the design"
    )
    voltage_ppm: int | None = Field(None, ge=-100_000, le=100_000)
    power_ppm: int | None = Field(None, ge=-220_000, le=220_000, description="both of the others where absent")
    meter_baud: Literal[4800, 9600, 19200, 38400] = 9600
    pins: dict[PinName, PinNumber] = {}
    key: str = Field("", pattern=r"^([0-9a-f]{64})?$", repr=False, description="the device's own key, 32 bytes in hex")
    signer: str = Field(
        "", pattern=r"^([0-9a-f]{512}|[0-9a-f]{768})?$", description="modulus of the RSA key that signs updates, in hex"
    )
    meter: Literal["bl0942", "ade7953"] = "bl0942"
    fitted: list[str] = Field([], description="what is fitted beside the metering chip")
    ntc_ohm: int = Field(10_000, ge=100, le=1_000_000, description="of the thermistor at 25 degrees")
    ntc_beta: int = Field(3950, ge=2000, le=6000)
    ntc_series_ohm: int = Field(2200, ge=100, le=100_000, description="from the input to ground")
    residual_zero_mv: int = Field(500, ge=0, le=5000, description="the module's output without residual current")
    residual_ua_per_mv: int = Field(0, ge=0, le=10_000, description="from the module's data sheet; no default")
    residual_divider: int = Field(2000, ge=1000, le=10_000, description="permille of the module's output over the pin")
    gas_alarm_mv: int = Field(0, ge=0, le=3000, description="at the pin; 150 and more")
    gas_warm_s: int = Field(180, ge=0, le=3600)
    occupied_s: int = Field(300, ge=10, le=3600, description="how long a room counts as occupied after a motion")
    protection: ProtectionSettings = ProtectionSettings()

    @model_validator(mode="after")
    def _fits(self) -> "BoardSettings":
        shunt = self.shunt_uohm or 1600 // self.rating
        current, voltage = self.current_ppm or 0, self.voltage_ppm or 0
        power = current + voltage + current * voltage // 10**6 if self.power_ppm is None else self.power_ppm
        if self.meter == "ade7953" and self.divider * (10**6 + power) > 1900 * 10**6 * shunt:
            raise ValueError(f"divider: with this shunt an ade7953 takes at most {1900 * shunt}")
        for name in self.fitted:
            if name not in FITTED[self.role]:
                raise ValueError(f"fitted: a {self.role} takes {', '.join(FITTED[self.role])}, not {name!r}")
        if "residual" in self.fitted and self.residual_ua_per_mv < 1:
            raise ValueError("residual_ua_per_mv: say what the data sheet of the fitted module says")
        if "residual" in self.fitted and self.residual_zero_mv * 1000 // self.residual_divider < 200:
            raise ValueError("residual_zero_mv: at the pin it must be 200 mV or more, the converter sees no less")
        if "gas" in self.fitted and self.gas_alarm_mv < 150:
            raise ValueError("gas_alarm_mv: say from how many millivolts (150 to 3000) on it alarms")
        return self


def digest(settings: dict[str, Any]) -> int:
    """The register `settings_digest` of a board that has these `settings`: as firmware/settings.py computes it.

    CRC-32 over `name=value;` of each, sorted by name; without number, key and signer, so nothing secret goes into it.
    """
    record = json.loads(slot_bytes(settings, 1).split(b"\n")[0])
    text = "".join(f"{name}={_flat(record[name])};" for name in sorted(record) if name not in ("seq", "key", "signer"))
    return binascii.crc32(text.encode())


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}:{value[name]}" for name in sorted(value))
    return ",".join(value) if isinstance(value, list) else str(value)


def slot_bytes(settings: dict[str, Any], seq: int) -> bytes:
    """The bytes of a slot (settings.a or settings.b) that carries `settings` with the number `seq`, from 1.

    One line of JSON, a newline, the CRC-32 of the line as 8 hexadecimal digits. The board takes the valid slot
    with the highest number. Raises ConfigurationError naming the first key that is wrong.
    """
    try:
        checked = BoardSettings.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        key = "".join(f"{part}: " for part in (".".join(str(part) for part in first["loc"]),) if part)
        raise ConfigurationError(f"Board settings: {key}{first['msg'].removeprefix('Value error, ')}.") from error
    if seq < 1:
        raise ConfigurationError(f"Board settings: the number of a slot starts at 1, not {seq}.")
    record = {"seq": seq, **checked.model_dump(exclude_none=True)}
    line = json.dumps(record, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return line + b"\n%08x" % binascii.crc32(line)
