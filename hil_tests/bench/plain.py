"""The plain way, for comparison: minimalmodbus in a loop, a request a register, one device after the other."""

import time
from typing import Any

import minimalmodbus

from gateway.bus.wire import Wire

_SETTLE_S = 0.2


class Plain:
    """What the loop reached: registers read and the seconds it took."""

    def __init__(self, values: int, seconds: float, utilisation: float, cpu: float) -> None:
        self.values = values
        self.seconds = seconds
        self.utilisation = utilisation
        self.cpu = cpu

    @property
    def values_per_s(self) -> float:
        return self.values / self.seconds


def plain_loop(port: str, wire: Wire, addresses: list[int], registers: list[int], seconds: float) -> Plain:
    """Read `registers` (input) of every address again and again, for `seconds`, as one would at first.

    `utilisation` is reckoned as the gateway's: wire time by the formula of what was answered.
    """
    devices = [_instrument(port, wire, address) for address in addresses]
    began, cpu, values, busy = time.monotonic(), time.process_time(), 0, 0.0
    try:
        while time.monotonic() - began < seconds:
            for device in devices:
                for register in registers:
                    try:
                        device.read_register(register, functioncode=4)
                        values, busy = values + 1, busy + wire.read("input", 1)
                    except (minimalmodbus.ModbusException, ValueError):
                        continue  # the plain loop goes on to the next register
                    if time.monotonic() - began >= seconds:
                        break
        elapsed = time.monotonic() - began
        return Plain(values, elapsed, busy / elapsed, (time.process_time() - cpu) / elapsed)
    finally:
        devices[0].serial.close()
        time.sleep(_SETTLE_S)


def _instrument(port: str, wire: Wire, address: int) -> Any:
    device = minimalmodbus.Instrument(port, address)
    device.serial.baudrate = wire.baud
    device.serial.parity = wire.parity
    device.serial.stopbits = wire.stopbits
    device.serial.timeout = 0.3
    return device
