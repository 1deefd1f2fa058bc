"""The hardware, and the only module that imports `machine`: pins, UARTs, watchdog, identity.

It knows which pin is which and nothing of what they are for. Default pins suit an ESP32-WROOM (they avoid the
strapping pins 0, 5, 12 and 15 and the flash pins 6 to 11; 2 only drives a lamp); `pins` in the settings
overrides them by name. A pin of -1 is not fitted: writing it does nothing, reading it gives 0.
"""

import machine

# Kept equal to provisioning/settings.py by a test.
PINS = {
    "bus_tx": 17,
    "bus_rx": 16,
    "bus_de": -1,  # direction of the RS-485 driver; -1: the transceiver switches by itself
    "meter_tx": 26,
    "meter_rx": 25,
    "trip": 27,  # high while the trip coil is to be energised
    "contact": 33,  # auxiliary contact: high is closed, so that a broken wire reads as "carries voltage"
    "lamp": 32,  # the local alarm lamp
    "led": 2,  # heartbeat and identify
}

BUS_UART = 1
METER_UART = 2

# The stand-in of the watchdog in the REPL: a board under service comes back to protecting by itself.
SERVICE_MS = 600_000


class Unfitted:
    """A pin that is not there."""

    def value(self, level=None):
        return 0


class Board:
    """One ESP32 with its wiring. UARTs are opened once the settings are known."""

    def __init__(self, overrides: dict) -> None:
        self.pins = dict(PINS)
        self.pins.update(overrides)
        self.trip = self._output("trip")
        self.lamp = self._output("lamp")
        self.led = self._output("led")
        self.bus_de = self._output("bus_de")
        number = self.pins["contact"]
        self.contact = Unfitted() if number < 0 else machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP)

    def _output(self, name: str):
        number = self.pins[name]
        return Unfitted() if number < 0 else machine.Pin(number, machine.Pin.OUT, value=0)

    def rest(self) -> None:
        """No coil energised, no driver on the bus: how the pins are left when the firmware stops."""
        for pin in (self.trip, self.bus_de, self.lamp, self.led):
            pin.value(0)

    def bus_uart(self, baud: int, parity: str, stopbits: int):
        """The RS-485 port. 512 bytes of receive buffer hold two of the longest frames."""
        return machine.UART(
            BUS_UART,
            baudrate=baud,
            bits=8,
            parity=0 if parity == "E" else None,
            stop=stopbits,
            tx=self.pins["bus_tx"],
            rx=self.pins["bus_rx"],
            rxbuf=512,
            txbuf=512,
            timeout=0,
        )

    def meter_uart(self, baud: int):
        """The port of the metering chip, always 8N1."""
        return machine.UART(
            METER_UART,
            baudrate=baud,
            bits=8,
            parity=None,
            stop=1,
            tx=self.pins["meter_tx"],
            rx=self.pins["meter_rx"],
            rxbuf=256,
            txbuf=256,
            timeout=0,
        )

    def watchdog(self, timeout_ms: int):
        """Starts the watchdog, or gives a running one another timeout; it can never be stopped."""
        return machine.WDT(timeout=timeout_ms)

    def reset_cause(self) -> int:
        """1 power, 2 hard, 3 watchdog, 4 deep sleep, 5 soft."""
        return machine.reset_cause()
