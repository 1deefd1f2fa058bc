"""The whole firmware on virtual boards: what only shows when all parts run together on their UARTs."""

import json
import re
import subprocess
import sys
import time
from binascii import crc32
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import minimalmodbus
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from hil_tests.rig.flash import fill
from hil_tests.rig.site import Board, Bus, parse_site
from hil_tests.rig.village import Village
from provisioning import firmware_bundle

pytestmark = pytest.mark.integration

# The ESP32 without PSRAM gives Python 160 kB; what is left must serve an update.
HEAP_LIMIT = 110_000
# What the stand-ins of `machine` and `onewire` take on a virtual board: an ESP32 has those in its flash.
STAND_IN = "import machine; print(machine._stand_in)"
SIGNING_KEY = rsa.generate_private_key(65537, 2048)
# How many names MicroPython keeps, before and after commands and a whole update; the update's state 4 is "ready".
NAMES = """
import micropython, orders
micropython.qstr_info()
import update
one = update.Update({signer!r}, b"0.0.1", "a", 0)
one.from_file("given.bin")
while one.state == 3:
    one.step(0)
print("state", one.state, one.trouble)
micropython.qstr_info()
"""
SITE: dict[str, Any] = {
    "bus": [
        {
            "name": "north",
            "baud": 19200,
            "board": [
                {"id": "b1", "address": 1, "rating": 16, "current": 6.0},
                {"id": "b2", "address": 2, "rating": 10, "curve": "B"},
                {"id": "s1", "address": 3, "profile": "gewu-sensor"},
            ],
        },
        {"name": "lost", "baud": 9600, "board": [{"id": "u1", "address": 247}, {"id": "b3", "address": 4}]},
    ]
}


def load(folder: Path, board: Board, bus: Bus) -> None:
    """Firmware and settings; u1 has lost its settings."""
    fill(folder, board, bus)
    if board.id == "u1":
        (folder / "settings.a").write_bytes(b'{"seq":1,"role":"breaker"}\n00000000')


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with Village(parse_site(SITE, "test"), tmp_path_factory.mktemp("village"), load=load) as up:
        yield up


def instrument(village: Village, bus: int, address: int) -> minimalmodbus.Instrument:
    """A master of that bus; pass its port on with close_port_after_each_call."""
    state = village.state()["buses"][bus]
    one = minimalmodbus.Instrument(state["port"], address, close_port_after_each_call=True)
    one.serial.baudrate = state["baud"]
    one.serial.timeout = 1.0
    return one


def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """The first true value of `condition`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def usb_lines(village: Village, board: int, count: int) -> list[bytes]:
    """Report lines that leave USB from now on; what piled up while nobody read is let go."""
    with Path(village.state()["boards"][board]["usb"]).open("rb", buffering=0) as usb:
        fresh_from = time.monotonic() + 1.5
        deadline = fresh_from + 15
        data = b""
        while data.count(b"\n") <= count and time.monotonic() < deadline:
            piece = usb.read(4096)
            data = piece[-1:] if time.monotonic() < fresh_from else data + piece
    return [line.rstrip(b"\r") for line in data.split(b"\n")[1:-1]]


def test_a_breaker_trips_by_itself_and_says_so(village: Village) -> None:
    """Five times the threshold of curve C: open within seconds, cause, count and current latched."""
    b1 = instrument(village, 0, 1)
    until(lambda: b1.read_register(0, functioncode=4) > 2)
    assert b1.read_register(1, functioncode=4) & 0b11 == 1
    village.inject("b1", {"current": "200"})
    until(lambda: b1.read_register(2, functioncode=4) == 2)
    until(lambda: not b1.read_bit(0, functioncode=2))
    registers = b1.read_registers(0, 26, functioncode=4)
    assert registers[3] >= 1
    assert (registers[6] << 16 | registers[7]) > 113_000
    until(lambda: b1.read_long(4, functioncode=4) > 1000)  # ms since the trip: a person takes longer
    village.inject("b1", {"current": "6", "handle": "1"})
    until(lambda: b1.read_register(2, functioncode=4) == 0)
    assert b1.read_register(3, functioncode=4) == registers[3]


def test_an_overvoltage_opens_a_breaker(village: Village) -> None:
    """300 V for some seconds: open by the firmware, with the voltage latched; the lever re-arms."""
    b2 = instrument(village, 0, 2)
    until(lambda: answers(lambda: b2.read_register(0, functioncode=4) > 2))
    village.inject("b2", {"voltage": "300"})
    until(lambda: b2.read_register(2, functioncode=4) == 4, 30)
    until(lambda: not b2.read_bit(0, functioncode=2))
    assert b2.read_register(33, functioncode=4) == 1
    assert abs(b2.read_register(34, functioncode=4) - 3000) < 15
    village.inject("b2", {"voltage": "230"})
    until(lambda: b2.read_register(11, functioncode=4) < 2400)  # closed sooner, it would open again
    until(lambda: b2.read_long(4, functioncode=4) > 1000)  # ms since the trip: a person takes longer
    village.inject("b2", {"handle": "1"})
    until(lambda: b2.read_register(2, functioncode=4) == 0)


def test_a_board_without_settings_answers_on_247(village: Village) -> None:
    """It names its state, shows no rating, and its USB says why."""
    lost = instrument(village, 1, 247)
    assert lost.read_register(1, functioncode=4) == 1 << 5
    assert lost.read_register(0, functioncode=3) == 0
    line = json.loads(usb_lines(village, 3, 1)[0])
    assert (line["role"], line["trouble"]) == ("none", "settings damaged")


def test_usb_carries_a_checked_line_a_second(village: Village) -> None:
    """Numbered without a hole, CRC right, values as the bus has them."""
    lines = usb_lines(village, 0, 3)
    for line in lines:
        body = line[: line.index(b',"crc"')]
        assert int(json.loads(line)["crc"], 16) == crc32(body)
    numbers = [json.loads(line)["seq"] for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert json.loads(lines[-1])["profile"] == "gewu-breaker"


def exec_on(usb: str, code: str) -> str:
    """What `code` prints on the board. resume: no soft reset, so the firmware's modules and objects stay."""
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", usb, "resume", "exec", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-600:]
    return done.stdout


def test_the_repl_is_one_ctrl_c_away_and_the_watchdog_ends_it(village: Village) -> None:
    """mpremote takes the board over, and a forgotten board comes back. What breaker and sensor said of their heap while
    they ran is under the limit."""
    running = [json.loads(usb_lines(village, board, 2)[-1]) for board in (1, 2)]
    assert [line["role"] for line in running] == ["breaker", "sensor"]
    usb = village.state()["boards"][1]["usb"]
    stand_in = int(exec_on(usb, STAND_IN).split()[-1])
    assert [line["heap"] for line in running if line["heap"] - stand_in > HEAP_LIMIT] == []
    # The firmware left it ten minutes; one second shows the same.
    exec_on(usb, "import machine; machine.WDT(timeout=1000)")
    b2 = instrument(village, 0, 2)
    until(lambda: answers(lambda: b2.read_register(21, functioncode=4) == 3))


def test_commands_and_updates_bring_no_new_name(village: Village) -> None:
    """The table of names, once full, wants a stretch that a heap in use need not have: updates were refused for it.
    The names of the installed modules' files are read as well."""
    board = village.folder / "boards" / "b3"
    files = {path.name: path.read_bytes() for path in board.glob("*.mpy") if path.name != "start.mpy"}
    assert files
    (board / "given.bin").write_bytes(firmware_bundle.bundle(files, "9.0.0", SIGNING_KEY))
    said = exec_on(village.state()["boards"][-1]["usb"], NAMES.format(signer=firmware_bundle.signer(SIGNING_KEY)))
    assert "state 4 0" in said
    before, after = re.findall(r"n_qstr=(\d+)", said)
    assert before == after


def answers(read: Callable[[], Any]) -> Any:
    """The value read, or False while the board is away."""
    try:
        return read()
    except (OSError, ValueError):
        return False


def test_a_killed_board_comes_back_and_has_counted_it(village: Village) -> None:
    """boot_count survives in its own slots; the settings were not rewritten."""
    s1 = instrument(village, 0, 3)
    before = s1.read_register(13, functioncode=4)
    settings = village.folder / "boards" / "s1" / "settings.a"
    stamp = settings.stat().st_mtime_ns
    village.inject("s1", {"kill": "1"})

    until(lambda: answers(lambda: s1.read_register(13, functioncode=4) == before + 1))
    assert settings.stat().st_mtime_ns == stamp
