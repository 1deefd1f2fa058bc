"""The same figures on virtual boards: the real firmware, whose own thinking time is part of every answer."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway import health, profile
from gateway.bus.wire import Wire
from gateway.config import Bus, Device
from gateway.errors import GewuError
from hil_tests.bench.measure import BusUnderMeasurement, Raised
from hil_tests.bench.plain import plain_loop
from hil_tests.bench.row import Row
from hil_tests.rig import control

_END_S = 30.0
_TRIP_S = 20.0
# The live block of a breaker, which the gateway reads in one request.
_LIVE = list(range(26))


@contextmanager
def rig(baud: int, count: int) -> Iterator[tuple[str, Path]]:
    """A village of `count` breakers on one bus, in processes of its own: the bus's port and the rig's folder."""
    board = '[[bus.board]]\nid = "d{0}"\nprofile = "gewu-breaker"\naddress = {0}\n'
    site = f'[[bus]]\nname = "bench"\nbaud = {baud}\n' + "".join(board.format(n) for n in range(1, count + 1))
    with tempfile.TemporaryDirectory(prefix="gewu-bench-") as folder:
        plan = Path(folder) / "site.toml"
        plan.write_text(site, encoding="utf-8")
        command = [sys.executable, "-m", "gateway", "rig", "up", str(plan), "--folder", folder, "--json"]
        with (Path(folder) / "rig.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line == "}\n":
                    break
            if not lines:
                raise GewuError(f"The virtual boards did not come up: {(Path(folder) / 'rig.log').read_text()}")
            yield json.loads("".join(lines))["buses"][0]["port"], Path(folder)
        finally:
            process.terminate()
            process.communicate(timeout=_END_S)


def rows(baud: int, count: int, seconds: float) -> Iterator[Row]:
    """The figures of `count` virtual breakers at `baud`, beside the plain loop on the same boards."""
    from hil_tests.bench.bus import alarm_row, bus_rows

    breaker = profile.load("gewu-breaker")
    devices = [_device(n, breaker) for n in range(1, count + 1)]
    with rig(baud, count) as (port, folder):
        plain = plain_loop(port, Wire(baud), [device.address for device in devices], _LIVE, seconds)
        bus = Bus.model_validate({"name": "bench", "port": port, "baud": baud, "device": devices}, strict=False)
        with BusUnderMeasurement(bus) as measured:
            measured.await_contact()
            figures = measured.watch(seconds)
            memory = health.rss_mb()
            delays = _trip_all(folder, measured, count)
    case = f"virtual {baud} x{count}"
    yield from bus_rows(case, baud, figures, plain, len(_LIVE) * count, limited=False)
    yield alarm_row(case, delays, figures)
    yield Row(case=case, metric="rss_mb", value=memory, unit="MB")


def _trip_all(folder: Path, measured: BusUnderMeasurement, count: int) -> list[float]:
    """Overload each board in turn; seconds from the moment its contact opened to its event's commit."""
    wall_less_mono = time.time() - time.monotonic()
    for number in range(1, count + 1):
        control.ask(folder, {"do": "inject", "board": f"d{number}", "values": {"current": "400"}})
        deadline = time.monotonic() + _TRIP_S
        while not (found := [one for one in measured.raised if one.device == f"d{number}" and _trip(one)]):
            if time.monotonic() > deadline:
                raise GewuError(f"The virtual board d{number} did not trip at 400 A: its firmware is not well.")
            time.sleep(0.01)
    opened = {trip["board"]: trip["at_ms"] / 1000 for trip in control.ask(folder, {"do": "state"})["trips"]}
    found = [one for one in measured.raised if _trip(one)]
    return [one.committed + wall_less_mono - opened[one.device] for one in found]


def _trip(raised: Raised) -> bool:
    return raised.kind.startswith("trip.")


def _device(address: int, breaker: profile.Profile) -> Device:
    device = Device(id=f"d{address}", profile=breaker.name, address=address, place="", critical=False)
    return device.defined(breaker)
