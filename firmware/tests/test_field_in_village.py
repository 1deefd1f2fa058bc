"""Everything that may be fitted, on virtual boards: what is injected at the pins arrives in the right registers."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import minimalmodbus
import pytest

from gateway import profile
from gateway.profile import Register
from hil_tests.rig.site import parse_site
from hil_tests.rig.village import Village

pytestmark = pytest.mark.integration

HEAP_LIMIT = 110_000  # as test_in_village.py
OF_BREAKER = ["residual", "residual_output", "fast_output", "arc", "ntc", "siren"]
OF_SENSOR = [
    "ds18b20", "sht3x", "smoke", "water", "door", "sos", "motion", "pulse", "gas", "siren",
]  # fmt: skip
SITE: dict[str, Any] = {
    "bus": [
        {
            "name": "n",
            "baud": 115200,
            "board": [
                {"id": "b1", "address": 1, "meter": "ade7953", "fitted": OF_BREAKER, "current": 6.0, "voltage": 231.0},
                {"id": "s1", "address": 2, "profile": "gewu-sensor", "fitted": OF_SENSOR},
                {"id": "b2", "address": 3, "fitted": ["fast_output"], "current": 6.0},
                {"id": "b3", "address": 4, "meter": "ade7953", "fitted": ["fast_output"], "current": 6.0},
            ],
        }
    ]
}


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with Village(parse_site(SITE, "test"), tmp_path_factory.mktemp("village")) as up:
        yield up


class Reader:
    """Values of one board by their profile names."""

    def __init__(self, village: Village, address: int, name: str) -> None:
        self.master = minimalmodbus.Instrument(
            village.state()["buses"][0]["port"], address, close_port_after_each_call=True
        )
        assert self.master.serial is not None
        self.master.serial.baudrate = 115200
        self.master.serial.timeout = 1.0
        self.registers: dict[str, Register] = {}
        for register in profile.load(name).registers:
            self.registers[register.name] = register
            for _bit, bit_name in register.bits:
                self.registers[bit_name] = register

    def __call__(self, name: str) -> float | bool | None:
        register = self.registers[name]
        try:
            words = self.master.read_registers(register.address, register.size, 4)
        except (OSError, ValueError, minimalmodbus.ModbusException):
            return None  # busy for a moment, or the port is
        raw = 0
        for word in words:
            raw = raw << 16 | word
        if register.type.startswith("i") and raw >> (16 * register.size - 1):
            raw -= 1 << 16 * register.size
        for bit, bit_name in register.bits:
            if bit_name == name:
                return bool(raw >> bit & 1)
        return float(raw * register.scale)


def until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def near(value: float | bool | None, wanted: float, within: float) -> bool:
    return value is not None and abs(value - wanted) <= within


@pytest.fixture
def breaker(village: Village) -> Reader:
    return Reader(village, 1, "gewu-breaker")


@pytest.fixture
def sensor(village: Village) -> Reader:
    return Reader(village, 2, "gewu-sensor")


def test_the_ade7953_measures_like_any_meter(village: Village, breaker: Reader) -> None:
    """Current, voltage, power and frequency of the circuit; its own thresholds stand."""
    until(lambda: breaker("closed") and near(breaker("current"), 6.0, 0.1))
    until(lambda: near(breaker("voltage"), 231.0, 1.0) and near(breaker("power"), 6 * 231 * 0.95, 30))
    until(lambda: near(breaker("frequency"), 50.0, 0.1))
    until(lambda: breaker("fast_armed"))


def test_residual_current_and_terminal_temperature_follow_the_world(village: Village, breaker: Reader) -> None:
    """Within their range they are values; a probe that is shorted or open is a fault, and comes back."""
    village.inject("b1", {"residual": "0.012", "temperature": "71"})
    until(lambda: near(breaker("residual"), 0.012, 0.0015) and near(breaker("terminal_temperature"), 71.0, 1.5))
    for fault in ("1", "2"):
        village.inject("b1", {"probe_fault": fault})
        until(lambda: breaker("terminal_fault"))
        assert near(breaker("terminal_temperature"), -3276.7, 0.01)
        village.inject("b1", {"probe_fault": "0"})
        until(lambda: not breaker("terminal_fault") and near(breaker("terminal_temperature"), 71.0, 1.5))


@pytest.mark.parametrize(("pair", "bit"), [
    ({"smoke": "1"}, "smoke"), ({"water": "1"}, "water"), ({"door": "1"}, "door_open"), ({"sos": "1"}, "sos"),
    ({"motion": "1"}, "motion"), ({"gas": "2.0"}, "gas"),
])  # fmt: skip
def test_each_contact_raises_its_bit(village: Village, sensor: Reader, pair: dict[str, str], bit: str) -> None:
    """Raised within a second; gone again when the world is calm, but for the SOS, which holds a minute."""
    village.inject("s1", pair)
    until(lambda: sensor(bit))
    village.inject("s1", {key: "0.3" if key == "gas" else "0" for key in pair})
    until(lambda: bit == "sos" or sensor(bit) is False)


def test_climate_probe_and_pulses_follow_the_world(village: Village, sensor: Reader) -> None:
    """SHT3x and DS18B20 over their buses, pulses one by one, all that is fitted named as such."""
    before = sensor("pulses") or 0.0
    village.inject("s1", {"temperature": "-7.5", "humidity": "80", "pulses": "4"})
    until(lambda: near(sensor("temperature"), -7.5, 0.2) and near(sensor("humidity"), 80.0, 0.3))
    until(lambda: near(sensor("probe_temperature"), -7.5, 0.2))
    until(lambda: sensor("pulses") == before + 4)
    assert sensor("climate_fitted")
    assert sensor("climate_fault") is False
    village.inject("s1", {"probe_fault": "1"})
    until(lambda: sensor("probe_fault"))
    village.inject("s1", {"probe_fault": "0"})
    until(lambda: sensor("probe_fault") is False)


def test_usb_says_what_is_unfitted(village: Village) -> None:
    """b2 has no module and no probe: its lines mark them, and the values are those of the bus."""
    usb = village.state()["boards"][2]["usb"]
    data = b""
    deadline = time.monotonic() + 20
    with Path(usb).open("rb", buffering=0) as port:
        while data.count(b"\n") < 3 and time.monotonic() < deadline:
            data += port.read(4096)
    line = json.loads(data.split(b"\n")[1])
    assert line["marks"]["residual"] == line["marks"]["terminal_temperature"] == "unfitted"
    assert line["values"]["residual"] == 65.535
    assert line["version"]


@pytest.mark.parametrize(("index", "name"), [(2, "b2"), (3, "b3")])
def test_the_chip_s_own_element_opens_without_the_firmware(village: Village, index: int, name: str) -> None:
    """The board's processor stands still; ten times the threshold opens all the same, and later it says so."""
    board = Reader(village, index + 1, "gewu-breaker")
    until(lambda: board("fast_armed") and board("closed"))
    pid = village.state()["boards"][index]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        village.inject(name, {"current": "1500"})
        until(lambda: village.state()["boards"][index]["closed"] is False, 5)
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: board("closed") is False)


@pytest.mark.parametrize(("index", "name"), [(0, "b1"), (1, "s1")])
def test_a_running_board_with_everything_fitted_holds_in_the_heap(village: Village, index: int, name: str) -> None:
    """What the fullest breaker and the fullest sensor say of their heap, without the stand-in of `machine`."""
    usb = village.state()["boards"][index]["usb"]
    data = b""
    deadline = time.monotonic() + 20
    with Path(usb).open("rb", buffering=0) as port:
        while data.count(b"\n") < 4 and time.monotonic() < deadline:
            data += port.read(4096)
    in_use = json.loads(data.split(b"\n")[-2])["heap"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mpremote",
            "connect",
            usb,
            "resume",
            "exec",
            "import machine; print(machine._stand_in)",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    village.inject(name, {"kill": "1"})  # out of the REPL, for whoever comes next
    stand_in = int(done.stdout.split()[-1])
    assert in_use - stand_in <= HEAP_LIMIT
    assert stand_in <= 16 * 1024
