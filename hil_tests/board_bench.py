"""How fast and how surely boards answer on their bus: turnaround beside a bare echo, errors of many boards, noise.

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

from hil_tests.rig.flash import fill
from hil_tests.rig.master import Master
from hil_tests.rig.site import Board, Bus, parse_site
from hil_tests.rig.village import Village

T35_US = 1750
MOST_MS_OVER_ECHO = 1.0
NOISE = 1 / 2000
_NOISY_PATIENCE_S = 0.15  # an answer that noise has spoilt never comes
_READ = b"\x04\x00\x00\x00\x1a"  # the live block: 26 input registers
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


def rows(boards: int = 32, count: int = 5000) -> list[dict[str, Any]]:
    """All of it as rows of `gewu bench` (contract section 1)."""
    figures = turnaround()
    quiet, noisy = polls(boards, count), polls(boards, count, NOISE)
    echo = figures["echo p99"]
    return [
        _row("115200", "turnaround_p50", figures["firmware p50"], "ms", None, figures["echo p50"]),
        _row("115200", "turnaround_p99", figures["firmware p99"], "ms", round(echo + MOST_MS_OVER_ECHO, 3), echo),
        _row(f"{boards} boards, {count} polls", "errors", quiet["errors"], "", 0, None),
        _row(f"{boards} boards, {count} polls, 1 in 2000 bytes corrupted", "wrong_values", noisy["wrong"], "", 0, None),
        _row(f"{boards} boards, {count} polls, 1 in 2000 bytes corrupted", "errors", noisy["errors"], "", None, None),
    ]


def _row(case: str, metric: str, value: float, unit: str, limit: float | None, peer: float | None) -> dict[str, Any]:
    return {"case": case, "metric": metric, "value": value, "unit": unit, "limit": limit, "peer": peer}


def _board(unit: int) -> dict[str, Any]:
    return {"id": f"b{unit}", "address": unit, "current": 6.0}


@contextmanager
def _village(site: dict[str, Any], load: Any) -> Iterator[Village]:
    with tempfile.TemporaryDirectory() as folder, Village(parse_site(site, "bench"), Path(folder), load=load) as up:
        yield up
