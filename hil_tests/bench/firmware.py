"""`gewu bench firmware`: turnaround beside a bare echo, errors of many boards, noise, heap, size, whole updates.

The turnaround is measured inside the board, from the last byte that its UART gave to the first that it took, beyond
t3.5; the echo is a MicroPython board that waits t3.5 and sends the request back. Needs the virtual village.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hil_tests.bench import update
from hil_tests.bench.row import Report, Row, machine
from hil_tests.rig.flash import fill
from hil_tests.rig.master import Master
from hil_tests.rig.site import Board, Bus, parse_site
from hil_tests.rig.village import Village
from provisioning import firmware_build

MOST_MPY_BYTES = 64_000
MOST_HEAP_BYTES = 110_000
T35_US = 1750
MOST_MS_OVER_ECHO = 1.0
NOISE = 1 / 2000
_NOISY_PATIENCE_S = 0.15  # an answer that noise has spoilt never comes
_READ = b"\x04\x00\x00\x00\x1a"  # the live block: 26 input registers
_OF_BREAKER = ["residual", "residual_output", "fast_output", "arc", "ntc", "siren"]
_OF_SENSOR = ["ds18b20", "sht3x", "smoke", "water", "door", "sos", "motion", "pulse", "gas", "siren"]
_STAND_IN = """
import machine
with open("stand_in", "w") as file:
    file.write(str(machine._stand_in))
"""
_ECHO = """
from time import ticks_us, ticks_diff
from board import Board
from slots import Slots
uart = Board({}).bus_uart(115200, "N", 1)
unit = Slots("settings").load()["address"]
buffer = bytearray(64)
view = memoryview(buffer)
held = 0
heard = 0
while True:
    got = uart.readinto(view[held:])
    now = ticks_us()
    if got:
        held += got
        heard = now
    elif held and ticks_diff(now, heard) >= 1750:
        if buffer[0] == unit and held >= 4:
            uart.write(view[:held])
            note(heard, ticks_us())
        held = 0
"""
# Around what the firmware runs: the time of each answer from last byte in to first byte out, in a file at the end.
_NOTE = """
import json
_times = []
def note(heard, sent):
    from time import ticks_diff
    _times.append(ticks_diff(sent, heard))
    if len(_times) == COUNT:
        with open("times.json", "w") as file:
            json.dump(_times, file)
"""
_WATCH = """
import modbus
from time import ticks_us
_send = modbus.Slave.send
def _timed(self, now_us):
    heard = self.heard_at
    _send(self, now_us)
    note(heard, ticks_us())
modbus.Slave.send = _timed
import start
start.run()
"""


def turnaround(count: int = 300) -> dict[str, float]:
    """Milliseconds beyond t3.5 at 115200 baud: p50 and p99 of the firmware and of a bare echo, in the same run."""
    site = {"bus": [{"name": "fast", "baud": 115200, "board": [_board(1), _board(2)]}]}

    def load(folder: Path, board: Board, bus: Bus) -> None:
        fill(folder, board, bus)
        note = _NOTE.replace("COUNT", str(count))
        (folder / "main.py").write_text(note + (_WATCH if board.address == 1 else _ECHO))

    with _village(site, load) as village, Master(village.state()["buses"][0]["port"]) as master:
        figures = {}
        for unit, name in ((1, "firmware"), (2, "echo")):
            request = bytes((unit,)) + _READ
            written = village.folder / "boards" / f"b{unit}" / "times.json"
            deadline = time.monotonic() + 60
            while not written.is_file() and time.monotonic() < deadline:
                master.ask(request)
            while not (text := written.read_text()).endswith("]"):
                time.sleep(0.01)
            times = sorted(json.loads(text))
            figures[f"{name} p50"] = (times[len(times) // 2] - T35_US) / 1000
            figures[f"{name} p99"] = (times[len(times) * 99 // 100] - T35_US) / 1000
        return figures


def polls(boards: int = 32, count: int = 5000, noise: float = 0.0) -> dict[str, int]:
    """`count` polls of the live block of `boards` boards in turn at 115200 baud: asked, errors, wrong values.

    A value is wrong where an answer with a right CRC says another rating than the board's, or another number of
    seconds to identify than was written. With noise, answers may be missing: those are errors and nothing else.
    """
    site = {"bus": [{"name": "fast", "baud": 115200, "board": [_board(unit) for unit in range(1, boards + 1)]}]}
    errors = wrong = 0
    with (
        _village(site, fill) as village,
        Master(village.state()["buses"][0]["port"], _NOISY_PATIENCE_S if noise else 1.0) as master,
    ):
        village.fault("fast", {"noise": str(noise)})
        written: dict[int, set[int]] = {unit: {0} for unit in range(1, boards + 1)}
        for turn in range(count):
            unit = turn % boards + 1
            if turn // boards % 3 == 2:
                # Read only the registers that stay: rating and curve.
                answer = master.ask(bytes((unit, 3, 0, 0, 0, 2)))
                wrong += bool(answer) and answer != bytes((unit, 3, 4, 0, 16, 0, ord("C")))
            elif noise and turn // boards % 3 == 1:
                seconds = 200 + turn % 256
                written[unit].add(seconds)
                answer = master.ask(bytes((unit, 6, 0, 10)) + seconds.to_bytes(2, "big"))
            else:
                answer = master.ask(bytes((unit,)) + _READ)
                wrong += bool(answer) and len(answer) not in (3, 55)
            errors += not answer or bool(answer[1] & 0x80)
        village.fault("fast", {"noise": "0"})
        for unit, allowed in written.items():
            # It counts down: no more than was written at any time, and nothing that nobody wrote.
            now = master.registers(unit, 10, 1, 3)[0]
            wrong += now > max(allowed)
    return {"polls": count, "errors": errors, "wrong": wrong}


def heap() -> dict[str, int]:
    """Bytes in use in the fullest breaker and the fullest sensor while they run, by what they say on USB.

    Without what the stand-ins of `machine` and `onewire` take on a virtual board: an ESP32 has those in its flash.
    """
    breaker = _board(1) | {"meter": "ade7953", "fitted": _OF_BREAKER}
    sensor = _board(2) | {"profile": "gewu-sensor", "fitted": _OF_SENSOR}

    def load(folder: Path, board: Board, bus: Bus) -> None:
        fill(folder, board, bus)
        (folder / "boot.py").write_text(_STAND_IN)

    with _village({"bus": [{"name": "fast", "baud": 115200, "board": [breaker, sensor]}]}, load) as village:
        figures = {}
        for state in village.state()["boards"]:
            with Path(state["usb"]).open("rb", buffering=0) as usb:
                lines = b""
                while lines.count(b"\n") < 4:
                    lines += usb.read(4096)
            stand_in = int((village.folder / "boards" / state["id"] / "stand_in").read_text())
            line = json.loads(lines.split(b"\n")[-2])
            figures[line["role"]] = line["heap"] - stand_in
        return figures


def size() -> int:
    """Bytes of all files of a build."""
    with tempfile.TemporaryDirectory() as folder:
        firmware_build.build(Path(folder))
        return sum(firmware_build.size(Path(folder)).values())


def measure(progress: update.Progress, boards: int = 32, count: int = 5000, updates: bool = True) -> Report:
    """All rows; `progress` is told what is measured now."""
    return Report(name="firmware", rows=list(_rows(progress, boards, count, updates)), machine=machine())


def _rows(progress: update.Progress, boards: int, count: int, updates: bool) -> Iterator[Row]:
    yield Row(case="all files of a build", metric="mpy_bytes", value=size(), unit="B", limit=MOST_MPY_BYTES)
    progress("the heap of running boards")
    for role, used in heap().items():
        case = f"{role} with everything fitted, running"
        yield Row(case=case, metric="heap_in_use", value=used, unit="B", limit=MOST_HEAP_BYTES)
    progress("turnaround beside a bare echo")
    figures = turnaround()
    for name in ("p50", "p99"):
        echo = figures[f"echo {name}"]
        limit = round(echo + MOST_MS_OVER_ECHO, 3) if name == "p99" else None
        value = figures[f"firmware {name}"]
        yield Row(
            case="beyond t3.5 at 115200", metric=f"turnaround_{name}", value=value, unit="ms", limit=limit, peer=echo
        )
    for noise, said in ((0.0, ""), (NOISE, ", 1 in 2000 bytes corrupted")):
        case = f"{boards} boards, {count} polls{said}"
        progress(case)
        found = polls(boards, count, noise)
        yield Row(case=case, metric="errors", value=found["errors"], unit="", limit=None if noise else 0)
        yield Row(case=case, metric="wrong_values", value=found["wrong"], unit="", limit=0)
    if updates:
        yield from update.measure(progress)


def _board(unit: int) -> dict[str, Any]:
    return {"id": f"b{unit}", "address": unit, "current": 6.0}


@contextmanager
def _village(site: dict[str, Any], load: Any) -> Iterator[Village]:
    with tempfile.TemporaryDirectory() as folder, Village(parse_site(site, "bench"), Path(folder), load=load) as up:
        yield up
