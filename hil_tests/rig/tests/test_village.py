"""The village as a whole: the real firmware, real MicroPython, real mpremote and esptool."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import minimalmodbus
import pytest
import serial

from gateway import profile
from gateway.errors import ConfigurationError, GewuError
from hil_tests.rig.site import Board, Bus, parse_site
from hil_tests.rig.village import Village

pytestmark = pytest.mark.integration

TOOLS = Path(sys.executable).parent
SITE = {
    "bus": [
        {
            "name": "north",
            "baud": 115200,
            "board": [
                {"id": "b1", "address": 1, "rating": 16, "current": 6.0, "voltage": 231.0},
                {"id": "s2", "address": 2, "profile": "gewu-sensor"},
            ],
        },
        {"name": "box", "board": [{"id": "new", "fresh": True}]},
    ]
}


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with Village(parse_site(SITE, "test"), tmp_path_factory.mktemp("village")) as village:
        yield village


@pytest.fixture
def breaker(village: Village) -> Iterator[Any]:
    """b1 at its first state: lever closed, 6 A; a master on its bus."""
    village.inject("b1", {"handle": "1", "current": "6", "voltage": "231", "silent": "0"})
    instrument = minimalmodbus.Instrument(village.state()["buses"][0]["port"], 1)
    assert instrument.serial is not None
    instrument.serial.baudrate = 115200
    instrument.serial.timeout = 0.5
    yield instrument
    instrument.serial.close()


def board(village: Village, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in village.state()["boards"] if row["id"] == name)
    return found


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def current(instrument: Any) -> float:
    register = next(row for row in profile.load("gewu-breaker").registers if row.name == "current")
    try:
        high, low = instrument.read_registers(register.address, 2, 4)
    except minimalmodbus.NoResponseError:
        return -1.0  # the board boots
    return float((high << 16 | low) * register.scale)


def tool(*command: str) -> str:
    path = str(TOOLS / command[0])
    done = subprocess.run([path, *command[1:]], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def mpremote(village: Village, name: str, *command: str) -> str:
    return tool("mpremote", "connect", board(village, name)["usb"], *command)


def test_a_board_is_a_living_micropython(village: Village) -> None:
    """The process that `pid` names is MicroPython."""
    for row in village.state()["boards"]:
        assert Path(f"/proc/{row['pid']}/comm").read_text(encoding="ascii").strip() == "micropython"


def test_polls_go_through_without_an_error(breaker: Any) -> None:
    """200 polls at 115200, neither lost nor damaged."""
    until(lambda: current(breaker) > 0)
    assert all(current(breaker) > 0 for _ in range(200))


def test_inject_changes_what_the_board_measures(village: Village, breaker: Any) -> None:
    """The reading follows the injected current, and is nothing with the lever open."""
    until(lambda: current(breaker) == pytest.approx(6.0, abs=0.1))
    village.inject("b1", {"current": "9.5"})
    until(lambda: current(breaker) == pytest.approx(9.5, abs=0.1))
    village.inject("b1", {"handle": "0"})
    until(lambda: current(breaker) == 0.0)


def test_a_killed_board_comes_back(village: Village, breaker: Any) -> None:
    """After kill -9 another process serves the same address, and the state shows its id."""
    before = board(village, "b1")["pid"]
    os.kill(before, 9)
    until(lambda: board(village, "b1")["pid"] not in (None, before))
    until(lambda: current(breaker) > 0)


def test_the_usb_port_reports(village: Village) -> None:
    """Whoever opens the USB port of a running board finds its JSON lines."""
    with serial.Serial(board(village, "s2")["usb"], timeout=10) as port:
        port.readline()
        assert port.readline().startswith(b"{")


def test_mpremote_works_on_a_running_board(village: Village, breaker: Any, tmp_path: Path) -> None:
    """exec interrupts the firmware, a file is copied there and back, and after a reset it serves again."""
    assert mpremote(village, "b1", "exec", "print(6 * 7)").strip() == "42"
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(bytes(range(256)) * 8)
    mpremote(village, "b1", "fs", "cp", str(source), ":copy.bin")
    mpremote(village, "b1", "fs", "cp", ":copy.bin", str(back))
    assert back.read_bytes() == source.read_bytes()
    for _ in range(2):  # the second time it runs after a reset from the REPL
        mpremote(village, "b1", "reset")
        until(lambda: current(breaker) > 0)
        assert mpremote(village, "b1", "exec", "print(6 * 7)").strip() == "42"
    mpremote(village, "b1", "reset")
    until(lambda: current(breaker) > 0)


def test_a_fresh_board_has_micropython_and_nothing_else(village: Village) -> None:
    """Its flash is empty, its REPL speaks, and it has no address."""
    assert board(village, "new")["address"] is None
    assert mpremote(village, "new", "exec", "import os; print(os.listdir('/'))").strip() == "[]"


def test_a_board_that_nobody_reads_goes_on(village: Village) -> None:
    """200 kB of output with no reader stop neither the board nor the next tool."""
    mpremote(village, "new", "resume", "exec", "--no-follow", "for n in range(4000): print('%50d' % n)")
    assert mpremote(village, "new", "exec", "print(1)").strip().endswith("1")


@pytest.mark.parametrize(
    ("action", "cause"), [("machine.reset()", 2), ("machine.WDT(timeout=300)\nwhile True: pass", 3)]
)
def test_resets_tell_their_cause(village: Village, action: str, cause: int) -> None:
    """A reset, and a watchdog that nobody feeds, end the process; the next one knows why it runs."""
    before = board(village, "new")["pid"]
    mpremote(village, "new", "resume", "exec", "--no-follow", f"import machine\n{action}")
    until(lambda: board(village, "new")["pid"] not in (None, before))
    said = mpremote(village, "new", "resume", "exec", "import machine; print(machine.reset_cause())")
    assert said.strip() == str(cause)


def test_esptool_flashes_through_the_bootloader(village: Village, tmp_path: Path) -> None:
    """The real esptool knows the chip, writes an image and finds it verified; another board's flash is its own."""
    image, back = tmp_path / "image.bin", tmp_path / "back.bin"
    image.write_bytes(os.urandom(8192))
    line = ("--chip", "esp32", "--before", "no-reset", "--after", "no-reset", "--port")
    new, other = (board(village, name)["bootloader"] for name in ("new", "s2"))
    said = tool("esptool", *line, new, "write-flash", "0x10000", str(image))
    assert "Hash of data verified" in said
    tool("esptool", "--no-stub", *line, new, "read-flash", "0x10000", "8192", str(back))
    assert back.read_bytes() == image.read_bytes()
    tool("esptool", "--no-stub", *line, other, "read-flash", "0x10000", "8192", str(back))
    assert set(back.read_bytes()) == {0xFF}


@pytest.mark.parametrize(("name", "pairs"), [("nobody", {"current": "1"}), ("b1", {"current": "99", "volts": "3"})])
def test_a_wrong_injection_changes_nothing(village: Village, breaker: Any, name: str, pairs: dict[str, str]) -> None:
    """An unknown board or key is a sentence; even the right key beside it has not been taken."""
    until(lambda: current(breaker) == pytest.approx(6.0, abs=0.1))
    with pytest.raises(ConfigurationError):
        village.inject(name, pairs)
    time.sleep(1.0)  # two refreshes of the metering chip
    assert current(breaker) == pytest.approx(6.0, abs=0.1)


def test_an_overload_opens_the_breaker_by_itself(tmp_path: Path) -> None:
    """A short circuit trips the firmware; the village saw the contact open, and no current flows."""
    site = parse_site({"bus": [{"name": "n", "board": [{"id": "b1", "address": 1}]}]}, "test")
    with Village(site, tmp_path) as village:
        until(lambda: bool(board(village, "b1")["closed"]))
        started = time.time() * 1000
        village.inject("b1", {"current": "400"})
        until(lambda: bool(village.state()["trips"]))
        (trip,) = village.state()["trips"]
        assert trip["board"] == "b1"
        assert 0 < trip["at_ms"] - started < 5000
        assert not board(village, "b1")["closed"]


def test_two_boards_on_one_address_come_up_all_the_same(tmp_path: Path) -> None:
    """The roll call asks each alone; on the pair their answers collide."""
    boards = [{"id": name, "address": 7} for name in ("b1", "b2")]
    with Village(parse_site({"bus": [{"name": "n", "board": boards}]}, "test"), tmp_path) as village:
        instrument = minimalmodbus.Instrument(village.state()["buses"][0]["port"], 7)
        assert instrument.serial is not None
        instrument.serial.baudrate = 9600
        instrument.serial.timeout = 0.2
        with pytest.raises((minimalmodbus.ModbusException, ValueError)):
            instrument.read_registers(0, 10, 4)
        instrument.serial.close()
        assert village.state()["buses"][0]["collisions"] > 0


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_is_left_after_the_stop(tmp_path: Path) -> None:
    """Every process has ended, and no terminal, socket or thread stays behind."""
    files = open_files()
    with Village(parse_site(SITE, "test"), tmp_path) as village:
        pids = [row["pid"] for row in village.state()["boards"]]
    for pid in pids:
        assert not Path(f"/proc/{pid}").exists()
    assert open_files() == files
    assert not list((tmp_path / "usb").iterdir())


def test_a_board_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """With a firmware that says nothing the start fails with a sentence that names the board, and cleans up."""

    def mute(flash: Path, board: Board, bus: Bus) -> None:
        flash.mkdir(parents=True)
        (flash / "main.py").write_text("import time\nwhile True: time.sleep(1)\n", encoding="ascii")

    village = Village(
        parse_site({"bus": [{"name": "n", "board": [{"id": "b9", "address": 1}]}]}, "t"), tmp_path, load=mute
    )
    with pytest.raises(GewuError, match="b9"):
        village.start(deadline_s=1.0)
    with pytest.raises(GewuError, match="not up"):
        village.state()
