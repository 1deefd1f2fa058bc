"""The installer's whole day on virtual boards: plan, flash, commission, labels, verification, test trip, acceptance.

Real esptool against the boards' bootloaders, real mpremote, real buses, each command a process of its own. One board is
cut (SIGKILL) at every step of the way, and goes on to what its neighbour, which nobody cut, has become.
"""

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hil_tests.end_to_end.scene import GEWU, gewu
from hil_tests.rig.site import parse_site
from hil_tests.rig.village import Village

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
HEAD = "id,place,circuit,profile,rating,curve,address,serial,residual,critical,upstream\n"
ROWS = "b1,清溪/1号楼,照明,gewu-breaker,16,C,1,,,,DZ47-63 C32\nb2,清溪/2号楼,插座,gewu-breaker,16,C,2,,,,DZ47-63 C32\n"
FLASH_CUTS = ("detected", "writing", "flashed")
CUTS = ("detected", "flashed", "verified", "loading 5", "loaded", "calibrated", "addressed")


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    boards: list[dict[str, Any]] = [{"id": name, "fresh": True, "current": 6.0} for name in ("cut", "whole")]
    site = parse_site({"bus": [{"name": "n", "baud": 115200, "board": boards}]}, "test")
    with Village(site, tmp_path_factory.mktemp("rig")) as up:
        yield up


def cut_at(words: str, *command: str | Path) -> None:
    """Start a command, and SIGKILL it once it says `words` on stderr, which is right after that was noted."""
    process = subprocess.Popen(
        [*GEWU, *map(str, command)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    try:
        assert any(words in line for line in process.stderr), f"it never said {words}"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()


def rows_of(said: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.JSONDecoder().raw_decode(said)[0]
    return found


def on_flash(village: Village, name: str) -> tuple[dict[str, str], dict[str, Any]]:
    """(hash of each file of the firmware, the settings that hold) of a board."""
    folder = village.folder / "boards" / name
    files = {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir() if p.suffix in (".mpy", ".py")
    }
    slots = [json.loads(p.read_bytes().split(b"\n")[0]) for p in folder.glob("settings.[ab]")]
    return files, max(slots, key=lambda slot: int(slot["seq"]))


def flash_both(village: Village, folder: Path) -> None:
    """One board is cut at every step of flashing; then both are verified by what their flash holds."""
    image = folder / "mp.bin"
    image.write_bytes(bytes((0xE9, 3, 2, 0x20)) + bytes(20) + os.urandom(200_000))
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  mp.bin\n", encoding="ascii")
    ports = {board["id"]: board["bootloader"] for board in village.state()["boards"]}
    flash = ("provision", "flash", "--image", image, "--journal", folder / "provision.journal.jsonl", "--port")
    for state in FLASH_CUTS:
        cut_at(f": {state}", *flash, ports["cut"])
    found = rows_of(gewu(*flash, ports["cut"], ports["whole"], "--json"))
    assert [(row["chip"], row["state"], row["trouble"]) for row in found] == [("ESP32", "verified", None)] * 2


def test_the_whole_day(village: Village, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a box of boards to a signed sheet, with a cut at every step of one board."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    plan = tmp_path / "plan.csv"
    plan.write_text(HEAD + ROWS, encoding="gb18030")
    (tmp_path / "boards.toml").write_text("[breaker]\nbaud = 115200\n", encoding="ascii")
    assert "2 devices, no mistake" in gewu("provision", "plan", plan)
    flash_both(village, tmp_path)

    usb = {board["id"]: board["usb"] for board in village.state()["boards"]}
    commission = ("provision", "commission", "--plan", plan, "--settings", tmp_path / "boards.toml", "--port")
    keys = tmp_path / "device-keys.toml"
    kept = ""
    for state in CUTS:
        cut_at(f": {state}", *commission, usb["cut"])
        kept = kept or (keys.read_text(encoding="utf-8") if keys.exists() else "")
    found = rows_of(gewu(*commission, usb["cut"], usb["whole"], "--json", seconds=120))
    assert [(row["id"], row["state"], row["trouble"]) for row in found] == [
        ("b1", "commissioned", None),
        ("b2", "commissioned", None),
    ]
    (cut_files, cut), (whole_files, whole) = on_flash(village, "cut"), on_flash(village, "whole")
    own = ("seq", "key", "serial", "address")
    assert cut_files == whole_files
    assert {n: v for n, v in cut.items() if n not in own} == {n: v for n, v in whole.items() if n not in own}
    assert (cut["address"], whole["address"], len({cut["key"], whole["key"]})) == (1, 2, 2)
    # The key that was on disk before the board was cut is the one that it got.
    assert all(line in keys.read_text(encoding="utf-8") for line in kept.splitlines())
    assert cut["key"] in kept

    gewu("provision", "label", "--plan", plan, "--out", tmp_path / "labels.pdf")
    assert (tmp_path / "labels.pdf").read_bytes().startswith(b"%PDF")
    (bus,) = village.state()["buses"]
    verify = ("provision", "verify", "--plan", plan, "--bus", bus["port"], "--baud", "115200", "--last", "3", "--json")
    said = gewu(*verify, "--trip", "b1", "--by", "Li Wei", "--yes")
    assert [(row["ok"], row["differences"]) for row in rows_of(said)] == [(True, []), (True, [])]
    assert rows_of(said)[0]["trip"]["ok"]
    village.inject("cut", {"handle": "1"})  # by hand, at its lever

    Image.new("RGB", (640, 480), "green").save(tmp_path / "box.jpg")
    sheet = tmp_path / "acceptance.html"
    said = gewu(
        "provision", "report", "--plan", plan, "--out", sheet, "--photo", tmp_path / "box.jpg", "--json", status=1
    )
    facts = json.loads(sheet.with_suffix(".json").read_text(encoding="utf-8"))
    assert facts["findings"] == ["b1, b2: its meter is not calibrated, do not bill by it 电表未校准，不得用于计费"]
    assert [(one["upstream"], one["verified"]["ok"], len(one["trips"])) for one in facts["devices"]] == [
        ("DZ47-63 C32", True, 1),
        ("DZ47-63 C32", True, 0),
    ]
    assert "as signed on" in gewu("provision", "report", "--check", sheet)
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file() and path != keys)
    assert not [key for key in (cut["key"], whole["key"]) if key.encode() in everything + said.encode()]

    # The same commands once more write nothing to a finished board.
    before = (on_flash(village, "cut"), on_flash(village, "whole"))
    gewu(*commission, usb["cut"], usb["whole"], "--json", seconds=120)
    assert (on_flash(village, "cut"), on_flash(village, "whole")) == before
