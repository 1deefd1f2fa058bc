"""Opens everything once and hands the parts to the application: what is fitted, what the settings ask for.

It is loaded at the start, used once and let go of, and so are the constructors of all that it made: a heap of 160 kB
has no room for what runs once. Nothing here measures, answers or moves.
"""

import select
import sys
from time import ticks_us

from board import Board
from heartbeat import TIMEOUT_MS, Heartbeat
from live import Live
from loaded import forget
from memory import Memory
from modbus import Slave
from panel import Panel
from registers import INPUT, Bank
from report import Report
from service import Service
from version import VERSION

_MADE_LATER = ("slots",)  # modules whose objects are made while the board runs
# What has done its work once everything is built, besides constructors.
_ONCE = (
    "__init__", "open_pins", "find_places", "number_of", "declare", "restore", "assume", "arm", "attach", "at",
    "address", "bit", "mask", "put_text", "output", "input", "edges", "analogue", "i2c", "onewire", "bus_uart",
    "meter_uart", "open_siren", "name", "PINS", "probe", "not_met", "make_table",
)  # fmt: skip


def _character_us(settings) -> int:
    """Wire time of one character, rounded up: start, 8 data, parity, stop bits."""
    bits = 9 + settings.stopbits + (0 if settings.parity == "N" else 1)
    return (bits * 1_000_000 + settings.baud - 1) // settings.baud


def _open_board(settings):
    """The board with its pins; wrong pin numbers make it a board without settings."""
    try:
        return settings, Board(settings.pins, settings.role)
    except (ValueError, KeyError) as error:
        from settings import Settings

        fallback = Settings()
        fallback.trouble = "pins: %s" % error
        return fallback, Board({})


def _read_settings():
    """The settings of this board, without the module that checked them."""
    import settings

    result = settings.load()
    forget("settings", "protection_settings")
    return result


def _open_bank(role: str) -> Bank:
    """The registers of the role; the table of the other is let go."""
    import table

    bank = Bank(table.BREAKER if role == "breaker" else table.SENSOR)
    table.BREAKER = table.SENSOR = None
    return bank


def _open_meter(board, settings, now: int):
    """(the metering chip's driver, its UART). Only the driver that is needed is loaded."""
    if settings.meter == "ade7953":
        from ade7953 import BAUD, Ade7953

        uart = board.meter_uart(BAUD)
        return Ade7953(uart, settings.shunt_uohm, settings.divider, now, settings.factor), uart
    from bl0942 import Bl0942

    uart = board.meter_uart(settings.meter_baud)
    return Bl0942(uart, settings.shunt_uohm, settings.divider, now, settings.factor), uart


def _make_role(board, settings, meter, memory, live, now: int):
    """The breaker or the sensor, with its field. Raises ValueError where something fitted has no pin."""
    if settings.role == "breaker":
        from breaker import Breaker
        from field_breaker import FieldOfBreaker

        return Breaker(
            board, settings, meter, memory, live, now, FieldOfBreaker(board, settings, meter, live.bank, now)
        )
    from field_sensor import FieldOfSensor
    from sensor import Sensor

    return Sensor(settings, meter, memory, live, now, FieldOfSensor(board, settings, memory, live.bank, now))


def _card(board, settings) -> bytearray:
    """What this board says of itself when all are called: room for its address, state, the chip's number, serial."""
    card = bytearray(b"\0\x41\0") + bytes((settings.configured,)) + bytes.fromhex(board.name().decode())
    return card + settings.serial + bytes(16 - len(settings.serial))


def _open_bus(board, poll, panel, service, settings, bank) -> Slave:
    uart = board.bus_uart(settings.baud, settings.parity, settings.stopbits)
    poll.register(uart, select.POLLIN)
    name = bank.name if settings.configured else b"gewu-unconfigured"
    objects = {0: bank.vendor, 1: name, 2: VERSION, 4: name, 5: bank.model, 0x80: settings.serial}
    objects[256] = _card(board, settings)
    return Slave(
        uart,
        board.bus_de,
        bank,
        settings.address,
        _character_us(settings),
        objects,
        panel.written,
        service.inbox,
        ticks_us(),
    )


def _start_role(board, poll, panel, settings, memory, live, now: int):
    """(the meter, the role that it measures for)."""
    meter, uart = _open_meter(board, settings, now)
    poll.register(uart, select.POLLIN)
    meter.energy = memory.energy
    try:
        role = _make_role(board, settings, meter, memory, live, now)
    except (ValueError, KeyError, OSError) as error:
        # A wrong pin of a sensor must not cost the protection: without any of them, and said on USB.
        settings.trouble = "fitted: %s" % error
        settings.fitted = ()
        role = _make_role(board, settings, meter, memory, live, now)
    meter.arm(getattr(role, "fast_ma", 0), getattr(role, "fast_decivolt", 0))
    panel.quiet = live.mask(b"meter_fault") | live.mask(b"door_open", b"inputs") << 16
    return meter, role


def _wait(live):
    """The part of a board that must not measure."""
    from waiting import Waiting

    return None, Waiting(live)


def build(poll, usb_takes, heap_in_use, safe: bool, folder: str, record: dict, now: int) -> tuple:
    """(board, bus, meter or None, role, panel, report, memory, live, service, heart), as app.App has them.

    `usb_takes` and `heap_in_use` are of the application: functions of this module would keep all of it.
    """
    settings, board = _open_board(_read_settings())
    if not settings.serial:
        settings.serial = board.name()  # so that it can be told from its neighbours
    bank = _open_bank(settings.role)
    memory = Memory(now)
    live = Live(bank, settings, memory.boots, board.reset_cause(), now)
    bank.put_long(INPUT, bank.at(b"settings_digest"), settings.digest)
    service = Service(bank, settings, memory, board, folder, record, now)
    panel = Panel(board, bank, now)
    bus = _open_bus(board, poll, panel, service, settings, bank)
    if safe or not settings.configured:
        meter, role = _wait(live)
    else:
        meter, role = _start_role(board, poll, panel, settings, memory, live, now)
    service.attach(bus, meter, role, panel)
    report = Report(sys.stdout.buffer, usb_takes, heap_in_use, bank, settings, now)
    board.pins = None
    # Without settings there is no meter to wait for.
    heart = Heartbeat(board.watchdog(TIMEOUT_MS), 4 if meter else 3, now)
    return board, bus, meter, role, panel, report, memory, live, service, heart


def let_go() -> None:
    """Forget what of this image's modules only served to build them: none of it runs again before the next start."""
    for name, module in sys.modules.items():
        if name not in _MADE_LATER and getattr(module, "__file__", "").endswith(".mpy"):
            _strip(module)
            for thing in module.__dict__.values():
                if isinstance(thing, type) and getattr(thing, "__module__", "") == name:
                    _strip(thing)


def _strip(holder) -> None:
    for name in _ONCE:
        if name in holder.__dict__:
            setattr(holder, name, None)  # deleted, its place would go on holding it
