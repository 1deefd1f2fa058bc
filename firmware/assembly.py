"""Opens everything once and hangs the parts into the application: what is fitted, what the settings ask for.

It is loaded at the start, used once and let go of, and so are the constructors of all that it made: a heap of 160 kB
has no room for what runs once. Nothing here measures, answers or moves.
"""

import gc
import select
import sys
from time import ticks_us

from board import Board
from heartbeat import TIMEOUT_MS, Heartbeat
from live import Live
from memory import Memory
from modbus import Slave
from panel import Panel
from registers import Bank
from report import Report
from service import Service
from version import VERSION

_MADE_LATER = ("slots",)  # modules whose objects are made while the board runs


def character_us(settings) -> int:
    """Wire time of one character, rounded up: start, 8 data, parity, stop bits."""
    bits = 9 + settings.stopbits + (0 if settings.parity == "N" else 1)
    return (bits * 1_000_000 + settings.baud - 1) // settings.baud


def open_board(settings):
    """The board with its pins; wrong pin numbers make it a board without settings."""
    try:
        return settings, Board(settings.pins, settings.role)
    except (ValueError, KeyError) as error:
        from settings import Settings

        fallback = Settings()
        fallback.trouble = "pins: %s" % error
        return fallback, Board({})


def read_settings():
    """The settings of this board, without the module that checked them."""
    import settings

    result = settings.load()
    for name in ("settings", "protection_settings"):
        sys.modules.pop(name)
    return result


def open_bank(role: str) -> Bank:
    """The registers of the role; the table of the other is let go."""
    import table

    bank = Bank(table.BREAKER if role == "breaker" else table.SENSOR)
    del table.BREAKER, table.SENSOR
    return bank


def open_meter(board, settings, now: int):
    """(the metering chip's driver, its UART). Only the driver that is needed is loaded."""
    if settings.meter == "ade7953":
        from ade7953 import BAUD, Ade7953

        uart = board.meter_uart(BAUD)
        return Ade7953(uart, settings.shunt_uohm, settings.divider, now), uart
    from bl0942 import Bl0942

    uart = board.meter_uart(settings.meter_baud)
    return Bl0942(uart, settings.shunt_uohm, settings.divider, now), uart


def make_role(board, settings, meter, memory, live, now: int):
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


def open_bus(app, settings, bank) -> Slave:
    uart = app.board.bus_uart(settings.baud, settings.parity, settings.stopbits)
    app.poll.register(uart, select.POLLIN)
    name = bank.name if settings.configured else b"gewu-unconfigured"
    objects = {0: bank.vendor, 1: name, 2: VERSION, 4: name, 5: bank.model, 0x80: settings.serial}
    return Slave(
        uart,
        app.board.bus_de,
        bank,
        settings.address,
        character_us(settings),
        objects,
        app.panel.written,
        app.service.inbox,
        ticks_us(),
    )


def start_role(app, settings, now: int) -> None:
    """The meter and the role that it measures for."""
    board, memory, live = app.board, app.memory, app.live
    app.meter, uart = open_meter(board, settings, now)
    app.poll.register(uart, select.POLLIN)
    app.meter.energy = memory.energy
    app.sleep_ms = min(app.sleep_ms, app.meter.pause_ms)
    try:
        app.role = make_role(board, settings, app.meter, memory, live, now)
    except (ValueError, KeyError, OSError) as error:
        # A wrong pin of a sensor must not cost the protection: without any of them, and said on USB.
        settings.trouble = "fitted: %s" % error
        settings.fitted = ()
        app.role = make_role(board, settings, app.meter, memory, live, now)
    app.meter.arm(getattr(app.role, "fast_ma", 0), getattr(app.role, "fast_decivolt", 0))
    app.panel.quiet = live.mask(b"meter_fault") | live.mask(b"door_open", b"inputs") << 16


def open_report(settings, bank, now: int) -> Report:
    taker = select.poll()
    taker.register(sys.stdout, select.POLLOUT)

    def writable() -> bool:
        for _ in taker.ipoll(0):
            return True
        return False

    def in_use() -> int:
        gc.collect()
        return gc.mem_alloc()

    return Report(sys.stdout.buffer, writable, in_use, bank, settings, now)


def build(app, safe: bool, folder: str, record: dict, now: int) -> None:
    """Every part of `app` (app.App says what they are for)."""
    settings, board = open_board(read_settings())
    if not settings.serial:
        settings.serial = board.name()  # so that it can be told from its neighbours
    bank = open_bank(settings.role)
    app.board = board
    app.poll = select.poll()
    app.memory = Memory(now)
    app.live = Live(bank, settings, app.memory.boots, board.reset_cause(), now)
    app.service = Service(bank, settings, app.memory, board, folder, record, now)
    app.panel = Panel(board, bank, now)
    app.bus = open_bus(app, settings, bank)
    app.meter = None
    if safe or not settings.configured:
        from waiting import Waiting

        app.role = Waiting(app.live)
    else:
        start_role(app, settings, now)
    app.service.attach(app.bus, app.meter, app.role, app.panel)
    app.report = open_report(settings, bank, now)
    # Without settings there is no meter to wait for.
    app.heart = Heartbeat(board.watchdog(TIMEOUT_MS), 4 if app.meter else 3, now)


def let_go() -> None:
    """Forget the constructors of this image's modules: nothing that they make is made again before the next start."""
    for name, module in sys.modules.items():
        if name not in _MADE_LATER and getattr(module, "__file__", "").endswith(".mpy"):
            for thing in module.__dict__.values():
                if getattr(thing, "__module__", "") == name and "__init__" in thing.__dict__:
                    del thing.__init__
