"""The hardware, and the only module that imports `machine`: pins, UARTs, converters, watchdog, identity.

It knows which pin is which and nothing of what they are for. Default pins suit an ESP32-WROOM (they avoid the
strapping pins 0, 5 and 15 and the flash pins 6 to 11; 2 only drives a lamp, 12 is low at reset as it must be;
analogue inputs lie on ADC1, because ADC2 conflicts with Wi-Fi); `pins` in the settings overrides them by name. A pin
of -1 is not fitted: writing it does nothing, reading it gives 0. Only what the settings call fitted is opened, so names
may share a pin.
"""

import binascii
from time import ticks_diff, ticks_ms

import machine
from micropython import const

# Kept equal to provisioning/settings.py by a test. One text: in a dict each name would stay in the heap, and most of
# them are of the other role. Contacts close to ground; on a breaker some of their pins have other work. bus_de:
# direction of the RS-485 driver, -1 where the transceiver switches by itself. trip: high energises the coil. contact:
# auxiliary contact, high is closed, so that a broken wire reads as "carries voltage". led: heartbeat, identify.
# fast_output: the metering chip's fast element, high acts, pulled down outside. fast_enable: high lets it act on the
# trip latch; pulled down outside, as this strapping pin must be. residual_output: trip output of the residual-current
# module, low is well, high (or a broken wire) acts. residual: its analogue output. onewire: DS18B20. motion: PIR,
# high is motion. residual_test: high presses the module's test button. latch_block: high keeps the trip latch calm
# meanwhile. over_capacity: comparator for the breaking capacity, high is beyond it, and blocks the latch by itself.
# lockout: low is free, high (or a broken wire) locks. acknowledge: push-button at the device. close: closing
# actuator, high closes; of a pin that stays low while the chip boots.
PINS = (
    "bus_tx 17 bus_rx 16 bus_de -1 meter_tx 26 meter_rx 25 trip 27 contact 33 lamp 32 led 2 siren 19 "
    "fast_output 35 fast_enable 12 residual_output 23 residual 36 ntc 39 gas 34 onewire 4 i2c_scl 22 i2c_sda 21 "
    "arc 18 smoke 13 water 14 door 18 sos 23 motion 35 pulse 27 "
    "residual_test 13 latch_block 14 over_capacity 34 lockout 22 acknowledge 21 close -1"
)

_BUS_UART = const(1)
_METER_UART = const(2)

# The stand-in of the watchdog in the REPL: a board under service comes back to protecting by itself.
SERVICE_MS = 600_000
_I2C_US = const(2000)  # a sensor that holds the clock longer is given up: the loop waits for nobody
_FIRST_WITHOUT_PULL = const(34)


def reset_cause() -> int:
    """1 power, 2 hard, 3 watchdog, 4 deep sleep, 5 soft."""
    return machine.reset_cause()


def restart() -> None:
    """Start again; never returns."""
    machine.reset()


class Unfitted:
    """A pin that is not there."""

    def value(self, level: "int | None" = None) -> int:
        return 0


class Edges:
    """An input that counts its rises from its interrupt, however short they are. `count` only grows (16 bits).

    A rise counts when the level before it lasted `quiet_ms`: contacts bounce, both closing and opening.
    """

    def __init__(self, pin: machine.Pin, quiet_ms: int) -> None:
        self.pin = pin
        self.count = 0
        self._quiet = quiet_ms
        self._edge_at = ticks_ms()
        pin.irq(handler=self._edge, trigger=machine.Pin.IRQ_RISING | machine.Pin.IRQ_FALLING)

    def _edge(self, pin: machine.Pin) -> None:
        now = ticks_ms()
        if pin.value() and ticks_diff(now, self._edge_at) >= self._quiet:
            self.count = (self.count + 1) & 0xFFFF
        self._edge_at = now

    def value(self) -> int:
        return self.pin.value()


class Board:
    """One ESP32 with its wiring. UARTs are opened once the settings are known; sensors when they are asked for."""

    def __init__(self, overrides: dict, role: str = "breaker") -> None:
        words = PINS.split()
        self.pins = {words[at]: int(words[at + 1]) for at in range(0, len(words), 2)}
        self.pins.update(overrides)
        self.lamp = self.output("lamp")
        self.led = self.output("led")
        self.bus_de = self.output("bus_de")
        self.siren = Unfitted()
        breaker = role == "breaker"
        self.trip = self.output("trip") if breaker else Unfitted()
        self.contact = self.input("contact") if breaker else Unfitted()

    def output(self, name: str):
        """An output that starts low."""
        number = self.pins[name]
        return Unfitted() if number < 0 else machine.Pin(number, machine.Pin.OUT, value=0)

    def open_siren(self) -> None:
        """From now on `siren` drives its pin."""
        self.siren = self.output("siren")

    def input(self, name: str):
        """An input, pulled up where the pin has a pull-up (34 to 39 have none)."""
        number = self.pins[name]
        if number < 0:
            return Unfitted()
        if number >= _FIRST_WITHOUT_PULL:
            return machine.Pin(number, machine.Pin.IN)
        return machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP)

    def edges(self, name: str, quiet_ms: int) -> Edges:
        """An input whose rises are counted. Raises ValueError where it has no pin."""
        pin = self.input(name)
        if isinstance(pin, Unfitted):
            raise ValueError(name + " has no pin")
        return Edges(pin, quiet_ms)

    def analogue(self, name: str):
        """`read_uv()` gives microvolts at the pin, calibrated in the factory; 11 dB reaches about 3.1 V."""
        return machine.ADC(machine.Pin(self.pins[name]), atten=machine.ADC.ATTN_11DB)

    def i2c(self):
        """The sensors' I2C bus, 100 kHz."""
        scl, sda = [machine.Pin(self.pins["i2c" + end]) for end in ("_scl", "_sda")]
        return machine.I2C(0, scl=scl, sda=sda, freq=100_000, timeout=_I2C_US)

    def onewire(self):
        """The 1-Wire bus; its module comes with MicroPython's ESP32 port."""
        from onewire import OneWire

        return OneWire(machine.Pin(self.pins["onewire"]))

    def rest(self) -> None:
        """No coil energised, no driver on the bus: how the pins are left when the firmware stops."""
        for pin in (self.trip, self.bus_de, self.lamp, self.led, self.siren):
            pin.value(0)

    def bus_uart(self, baud: int, parity: str, stopbits: int) -> machine.UART:
        """The RS-485 port. 512 bytes of receive buffer hold two of the longest frames."""
        return self.open_uart(_BUS_UART, "bus", 512, baud, 0 if parity == "E" else None, stopbits)

    def meter_uart(self, baud: int) -> machine.UART:
        """The port of the metering chip, always 8N1."""
        return self.open_uart(_METER_UART, "meter", 256, baud, None, 1)

    def open_uart(self, number: int, name: str, size: int, baud: int, parity, stopbits: int) -> machine.UART:
        return machine.UART(
            number,
            baudrate=baud,
            bits=8,
            parity=parity,
            stop=stopbits,
            tx=self.pins[name + "_tx"],
            rx=self.pins[name + "_rx"],
            rxbuf=size,
            txbuf=size,
            timeout=0,
        )

    def watchdog(self, timeout_ms: int) -> machine.WDT:
        """Starts the watchdog, or gives a running one another timeout; it can never be stopped."""
        return machine.WDT(timeout=timeout_ms)

    def reset_cause(self) -> int:
        return reset_cause()

    def restart(self) -> None:
        restart()

    def name(self) -> bytes:
        """What the chip is called while it has no serial number: 12 hexadecimal digits."""
        return binascii.hexlify(machine.unique_id())
