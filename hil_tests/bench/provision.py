"""`gewu bench provision`: the installer's day in seconds, by the commands themselves as child processes.

Boards from erased to commissioned, all of it again on the finished ones, and addresses for boards that share one. The
boards are virtual: their USB and flash cost no serial time (docs/provisioning.md says what a real one adds).
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gateway.errors import GewuError
from hil_tests.bench.row import Report, Row, machine
from hil_tests.rig.site import parse_site
from hil_tests.rig.village import Village

IMAGE_BYTES = 1_750_000  # of MicroPython 1.29 for the ESP32, about
AT_ONCE = 8
WHOLE_LIMIT_S, REPEAT_LIMIT_S, ADDRESSING_LIMIT_S = 360.0, 20.0, 60.0
ADDRESSING_BAUD = 9600
_MOST_S = 1200.0
_HEAD = "id,place,circuit,profile,rating,curve,address,serial\n"

Progress = Callable[[str], None]


def measure(boards: int, addressed: int, progress: Progress) -> Report:
    """All of it; `boards` from erased, `addressed` on one bus. GewuError where a command fails."""
    rows = [*_from_erased(boards, progress), *_addressing(addressed, progress)]
    return Report(name="provision", rows=rows, machine=machine())


def _from_erased(count: int, progress: Progress) -> Iterator[Row]:
    progress(f"{count} boards come up, erased")
    site = {"bus": [{"name": "n", "baud": 115200, "board": [{"id": f"b{n}", "fresh": True} for n in range(count)]}]}
    with tempfile.TemporaryDirectory() as folder, Village(parse_site(site, "bench"), Path(folder) / "rig") as village:
        state = village.state()["boards"]
        image, plan = _image(Path(folder)), _plan(Path(folder), count, [""] * count)
        flash = ["flash", "--image", str(image), "--journal", f"{folder}/flash.jsonl"]
        flash += ["--at-once", str(AT_ONCE), "--port", *(board["bootloader"] for board in state)]
        commission = ["commission", "--plan", str(plan), "--at-once", str(AT_ONCE), "--yes"]
        commission += ["--port", *(board["usb"] for board in state)]
        seconds = []
        for what in ("for the first time", "once more"):
            for words, wanted in ((flash, "verified"), (commission, "commissioned")):
                progress(f"gewu provision {words[0]}, {what}")
                seconds.append(_timed(["provision", *words], wanted))
    case = f"{count} boards, {AT_ONCE} at once"
    yield Row(case=case, metric="flash_s", value=seconds[0], unit="s")
    yield Row(case=case, metric="commission_s", value=seconds[1], unit="s")
    yield Row(case=case, metric="whole_s", value=round(seconds[0] + seconds[1], 2), unit="s", limit=WHOLE_LIMIT_S)
    yield Row(case=case, metric="repeat_s", value=round(seconds[2] + seconds[3], 2), unit="s", limit=REPEAT_LIMIT_S)


def _addressing(count: int, progress: Progress) -> Iterator[Row]:
    progress(f"{count} boards without settings come up, all at one address")
    names = [f"b{n}" for n in range(count)]
    site = {"bus": [{"name": "n", "baud": ADDRESSING_BAUD, "board": [{"id": n, "settings": False} for n in names]}]}
    with tempfile.TemporaryDirectory() as folder, Village(parse_site(site, "bench"), Path(folder) / "rig") as village:
        # A serial number is on the label: the chip's own, as the rig makes it.
        plan = _plan(Path(folder), count, [hashlib.sha256(name.encode()).hexdigest()[:12] for name in names])
        port = village.state()["buses"][0]["port"]
        progress("gewu bus address")
        words = ["bus", "address", "--port", port, "--baud", str(ADDRESSING_BAUD), "--plan", str(plan), "--yes"]
        took = _timed(words, "addressed")
    yield Row(
        case=f"{count} boards on one address at {ADDRESSING_BAUD} baud",
        metric="addressing_s",
        value=took,
        unit="s",
        limit=ADDRESSING_LIMIT_S,
    )


def _timed(words: list[str], wanted: str) -> float:
    """Seconds of the command; GewuError where a board is not `wanted` at its end."""
    before = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *words, "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_MOST_S,
        check=False,
    )
    took = round(time.monotonic() - before, 2)
    rows: list[dict[str, Any]] = json.loads(done.stdout) if done.stdout else []
    late = [row for row in rows if row["state"] != wanted or row["trouble"]]
    if late or not rows:
        raise GewuError(f"gewu {' '.join(words[:2])}: {late[0] if late else done.stderr.strip()[-300:]}.")
    return took


def _image(folder: Path) -> Path:
    """As large as MicroPython's, and two thirds of it hard to compress; for an ESP32 with 4 MB, and pinned."""
    path = folder / "micropython.bin"
    third = IMAGE_BYTES // 3
    path.write_bytes(bytes((0xE9, 3, 2, 0x20)) + bytes(20) + os.urandom(2 * third) + bytes(third))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  {path.name}\n", encoding="ascii")
    return path


def _plan(folder: Path, count: int, serials: list[str]) -> Path:
    path = folder / "plan.csv"
    rows = (f"b{n},place {n},c{n},gewu-breaker,16,C,{n + 1},{serials[n]}" for n in range(count))
    path.write_text(_HEAD + "\n".join(rows) + "\n", encoding="ascii")
    return path
