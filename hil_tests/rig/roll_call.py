"""Whether a board answers: asked over its own UART while it is not yet on the pair with the others.

So a site that rehearses two boards on one address, a wrong baud or a noisy pair comes up all the same. The
question is Read Device Identification (function 2B/0E), which every Gewu board must answer. A fresh
board has no address to ask: it has answered when its MicroPython runs.
"""

from hil_tests.rig.device import Device
from hil_tests.rig.loop import Loop

_AGAIN_S = 0.25
_WITHOUT_SETTINGS = 247  # where such a board answers, unless it got an address before


def crc16(data: bytes) -> int:
    """CRC of Modbus RTU: polynomial A001 reflected, start FFFF."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc


class RollCall:
    """Asks `device` until it answers, then lets it onto the pair."""

    def __init__(self, loop: Loop, device: Device) -> None:
        self._loop, self._device = loop, device
        address = device.board.address if device.board.settings else _WITHOUT_SETTINGS
        body = bytes([address or 0, 0x2B, 0x0E, 0x01, 0x00])
        self._question = body + crc16(body).to_bytes(2, "little")
        self._heard = b""
        device.port.capture = self._hear
        self._ask()

    def _ask(self) -> None:
        if self._device.port.capture is None:
            return
        if self._device.booted:
            if self._device.board.fresh:
                self._present()
                return
            self._heard = b""
            self._device.port.terminal.write(self._question)
        self._loop.after(_AGAIN_S, self._ask)

    def _hear(self, data: bytes) -> None:
        self._heard += data
        # A frame that carries its own right CRC leaves the rest 0.
        if len(self._heard) >= 5 and self._heard[0] == self._question[0] and crc16(self._heard) == 0:
            self._present()

    def _present(self) -> None:
        self._device.port.capture = None
        self._device.ready = True
