"""`gewu provision commission`: real mpremote to fresh virtual boards. Cuts at every step: `test_provision_day`."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import serial
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hil_tests.rig.site import parse_site
from hil_tests.rig.village import Village
from provisioning import firmware_build
from provisioning.signer import signer_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
BOARDS = ("whole", "second", "spare")
HEAD = "id,place,circuit,profile,rating,curve,address,serial,residual,critical\n"


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """Fresh boards."""
    boards = [{"id": name, "fresh": True} for name in BOARDS]
    site = parse_site({"bus": [{"name": "n", "baud": 115200, "board": boards}]}, "test")
    with Village(site, tmp_path_factory.mktemp("rig")) as village:
        yield village


def usb(village: Village, name: str) -> str:
    return str(village.folder / "usb" / name)


def flash_of(village: Village, name: str) -> dict[str, bytes]:
    """The firmware on a board's flash; what the running board writes there is left out."""
    folder = village.folder / "boards" / name
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in (".mpy", ".py")}


def settings_of(village: Village, name: str) -> dict[str, Any]:
    """The settings that hold."""
    slots = sorted((village.folder / "boards" / name).glob("settings.[ab]"))
    return dict(max((json.loads(path.read_bytes().split(b"\n")[0]) for path in slots), key=lambda slot: slot["seq"]))


def plan_of(folder: Path, *rows: str) -> Path:
    (folder / "boards.toml").write_text("[breaker]\nbaud = 115200\n", encoding="ascii")
    path = folder / "plan.csv"
    path.write_text(HEAD + "\n".join(rows) + "\n", encoding="gb18030")
    return path


def command(plan: Path, *arguments: str) -> list[str]:
    line = [sys.executable, "-m", "gateway", "provision", "commission", "--plan", str(plan)]
    return [*line, "--settings", str(plan.with_name("boards.toml")), "--json", *arguments]


def commission(plan: Path, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """(exit status, rows, stderr)."""
    done = subprocess.run(command(plan, *arguments), capture_output=True, text=True, timeout=240, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def signed(folder: Path) -> list[str]:
    """A maker's bundle of this very firmware, and the key that signed it."""
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (folder / "maker.pem").write_bytes(pem)
    bundle = firmware_build.sign(firmware_build.build(folder / "fw"), folder / "maker.pem", folder / "fw.bundle")
    return ["--bundle", str(bundle), "--signer", str(folder / "maker.pem")]


def test_boards_become_what_the_plan_says(village: Village, tmp_path: Path) -> None:
    """Several at once, each the next open row with a key of its own; one finds no row; all of it repeatable."""
    plan = plan_of(
        tmp_path,
        "b1,清溪/1号楼/101,照明,gewu-breaker,16,B,21,,30,",
        "b2,清溪/1号楼/102,插座,gewu-breaker,20,C,22,SN-2,,",
    )
    ports = ("--port", usb(village, "whole"), "--port", "/dev/gewu-none", "--port", usb(village, "spare"))
    maker = signed(tmp_path)
    status, rows, said = commission(plan, *ports, *maker[2:])
    assert status == 1
    assert [(row["id"], row["state"], (row["trouble"] or "").split(":")[0]) for row in rows] == [
        ("b1", "commissioned", ""), (None, "absent", "no-port"), (None, "verified", "unknown-serial"),
    ]  # fmt: skip
    assert rows[0].keys() == {"id", "port", "serial", "state", "trouble"}
    assert "安全第一" in said
    status, rows, more = commission(plan, "--port", usb(village, "second"), "--id", "b2", *maker)
    assert (status, rows[0]["id"], rows[0]["serial"], rows[0]["state"]) == (0, "b2", "SN-2", "commissioned")
    first, second = settings_of(village, "whole"), settings_of(village, "second")
    assert (first["address"], first["rating"], first["curve"], first["protection"]) == (21, 16, "B", {"residual": 30})
    assert (second["address"], second["rating"], second["serial"]) == (22, 20, "SN-2")

    assert second["signer"] == signer_of(tmp_path / "maker.pem")
    assert flash_of(village, "second") == flash_of(village, "whole")  # the same firmware by both ways

    keys = tmp_path / "device-keys.toml"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert first["key"] != second["key"]
    journal = tmp_path / "plan.journal.jsonl"
    for key in (first["key"], second["key"]):
        assert len(key) == 64
        assert key in keys.read_text(encoding="utf-8")
        assert key not in said + more + journal.read_text(encoding="utf-8") + json.dumps(rows)

    before, noted = (settings_of(village, "whole"), flash_of(village, "whole")), journal.read_bytes()
    with serial.Serial(usb(village, "spare"), exclusive=True):
        again = [word for name in ("second", "whole", "spare") for word in ("--port", usb(village, name))]
        status, rows, _said = commission(plan, *again, *maker[2:])
    assert [(row["id"], row["state"]) for row in rows] == [
        ("b2", "commissioned"),
        ("b1", "commissioned"),
        (None, "absent"),
    ]
    assert rows[2]["trouble"].startswith("port-busy: ")
    assert (settings_of(village, "whole"), flash_of(village, "whole")) == before  # nothing was written again
    assert journal.read_bytes().startswith(noted)

    # A dead board's place: the same id and address, a new key.
    status, rows, _said = commission(plan, "--port", usb(village, "spare"), "--id", "b1")
    assert rows[0]["trouble"].startswith("board-taken: ")
    status, rows, _said = commission(plan, "--port", usb(village, "spare"), "--id", "b1", "--replace")
    assert (status, rows[0]["id"], rows[0]["state"]) == (0, "b1", "commissioned")
    new = settings_of(village, "spare")
    assert new["address"] == 21
    assert new["key"] not in (first["key"], second["key"])
    assert first["key"] not in keys.read_text(encoding="utf-8")
