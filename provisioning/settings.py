"""The settings of a board as provisioning writes them: their model and the bytes of a slot.

The board reads them in firmware/settings.py. This module checks what a person asked for and makes bytes; it
never talks to a board.
"""

import binascii
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import ConfigurationError

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
}

PinName = Literal["bus_tx", "bus_rx", "bus_de", "meter_tx", "meter_rx", "trip", "contact", "lamp", "led"]
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
    divider: int = Field(3824, ge=100, le=20_000, description="mains voltage over pin voltage")
    meter_baud: Literal[4800, 9600, 19200, 38400] = 9600
    pins: dict[PinName, PinNumber] = {}


def slot_bytes(settings: dict[str, Any], seq: int) -> bytes:
    """The bytes of a slot (settings.a or settings.b) that carries `settings` with the number `seq`, from 1.

    One line of JSON, a newline, the CRC-32 of the line as 8 hexadecimal digits. The board takes the valid slot
    with the highest number. Raises ConfigurationError naming the first key that is wrong.
    """
    try:
        checked = BoardSettings.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"Board settings: {key}: {first['msg']}.") from error
    if seq < 1:
        raise ConfigurationError(f"Board settings: the number of a slot starts at 1, not {seq}.")
    record = {"seq": seq, **checked.model_dump(exclude_none=True)}
    line = json.dumps(record, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return line + b"\n%08x" % binascii.crc32(line)
