"""`gewu provision retire`: boards wiped over USB and over their bus, a lost one, a dead one replaced."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.commands import board_keys
from gateway.errors import ConfigurationError
from hil_tests.end_to_end.scene import gewu
from hil_tests.rig.flash import fill, settings_of
from hil_tests.rig.site import Board, Bus, parse_site
from hil_tests.rig.village import Village
from provisioning.settings import slot_bytes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
NAMES = ("usb", "bus", "lost", "dead")
KEYS = {name: f"{number:064x}" for number, name in enumerate(NAMES, start=0xABCDEF0123456789ABCDEF)}
HEAD = "id,place,circuit,profile,rating,curve,address,serial,residual,critical\n"


def load(folder: Path, board: Board, bus: Bus) -> None:
    fill(folder, board, bus)
    if not board.fresh:
        (folder / "settings.a").write_bytes(slot_bytes(settings_of(board, bus) | {"key": KEYS[board.id]}, 1))


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    boards: list[dict[str, Any]] = [{"id": name, "address": at} for at, name in enumerate(NAMES, start=1)]
    site = parse_site({"bus": [{"name": "n", "baud": 9600, "board": [*boards, {"id": "spare", "fresh": True}]}]}, "t")
    with Village(site, tmp_path_factory.mktemp("rig"), load=load) as up:
        yield up


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "plan.csv"
    rows = (f"{name},p,{name},gewu-breaker,16,C,{at},,,\n" for at, name in enumerate(NAMES, start=1))
    path.write_text(HEAD + "".join(rows), encoding="utf-8")
    keys = tmp_path / "device-keys.toml"
    keys.write_text("[keys]\n" + "".join(f'{name} = "{key}"\n' for name, key in KEYS.items()), encoding="utf-8")
    keys.chmod(0o600)
    return path


def retire(plan: Path, device: str, *more: str, status: int = 0) -> dict[str, Any]:
    said = gewu("provision", "retire", device, "--plan", plan, "--by", "Li", "--yes", "--json", *more, status=status)
    assert KEYS[device] not in said
    document: dict[str, Any] = json.JSONDecoder().raw_decode(said)[0] if status == 0 else {"said": said}
    return document


def flash_of(village: Village, name: str) -> bytes:
    """Every byte on a board's flash."""
    folder = village.folder / "boards" / name
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_boards_forget_what_they_were_and_their_keys_are_revoked(village: Village, plan: Path) -> None:
    """Over USB and over the bus: read back; a lost one honestly not wiped. No key is left anywhere but its mark."""
    (bus,) = village.state()["buses"]
    over_usb = retire(plan, "usb", "--port", str(village.folder / "usb" / "usb"))
    over_bus = retire(plan, "bus", "--bus", bus["port"])
    lost = retire(plan, "lost", "--lost")
    assert [(one["how"], one["wiped"]) for one in (over_usb, over_bus, lost)] == [
        ("usb", True),
        ("bus", True),
        ("lost", False),
    ]
    assert "as from the factory at address 247" in over_bus["seen"]
    for name in ("usb", "bus"):
        assert KEYS[name].encode() not in flash_of(village, name)
        left = {path.name for path in (village.folder / "boards" / name).iterdir()}
        assert not [one for one in left if one.startswith("settings.") and not one.endswith(".mpy")]
        assert {"main.py", "app.mpy"} <= left  # firmware is nobody's secret
        assert "as signed on" in gewu("provision", "report", "--check", plan.with_name(f"retired-{name}.json"))
    keys = plan.with_name("device-keys.toml")
    text = keys.read_text(encoding="utf-8")
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    for name in ("usb", "bus", "lost"):
        assert KEYS[name] not in text
        assert board_keys.fingerprint(bytes.fromhex(KEYS[name])) in text
    assert board_keys.load(keys) == {"dead": bytes.fromhex(KEYS["dead"])}
    journal = plan.with_suffix(".journal.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line)["id"] for line in journal.splitlines() if '"do":"retire"' in line] == [
        "usb",
        "bus",
        "lost",
    ]
    assert not [key for key in KEYS.values() if key in journal]
    # A revoked key that comes back, as from an old backup, is refused.
    keys.write_text(text.replace("[keys]\n", f'[keys]\nusb = "{KEYS["usb"]}"\n'), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="the key of usb was revoked"):
        board_keys.load(keys)


def test_nothing_is_wiped_by_mistake(village: Village, plan: Path) -> None:
    """No name, no way, two ways, another row's board: refused, and the board keeps all it has."""
    before = flash_of(village, "dead")
    usb = str(village.folder / "usb" / "dead")
    assert "--by NAME" in gewu("provision", "retire", "dead", "--plan", plan, "--lost", status=2)
    assert "Say how" in retire(plan, "dead", status=2)["said"]
    assert "Say how" in retire(plan, "dead", "--lost", "--port", usb, status=2)["said"]
    noted = {"do": "commission", "id": "lost", "uid": "another", "serial": "lost"}
    plan.with_suffix(".journal.jsonl").write_text(json.dumps(noted) + "\n", encoding="utf-8")
    assert "board-taken: " in retire(plan, "lost", "--port", usb, status=1)["said"]
    said = gewu("provision", "retire", "dead", "--plan", plan, "--lost", "--by", "Li", status=1)
    assert "nobody can be asked here" in said
    (settings,) = (line for line in before.split(b"\n") if KEYS["dead"].encode() in line)
    assert settings in flash_of(village, "dead")


def test_a_dead_board_is_replaced_as_the_guide_says(village: Village, plan: Path) -> None:
    """One command: the same id and address, a new key; the dead one's is revoked, and the sheet begins anew."""
    noted = {"do": "commission", "id": "dead", "uid": "dead-one", "serial": "dead", "state": "commissioned", "at": "T"}
    plan.with_suffix(".journal.jsonl").write_text(json.dumps(noted) + "\n", encoding="utf-8")
    port = str(village.folder / "usb" / "spare")
    said = gewu("provision", "commission", "--plan", plan, "--id", "dead", "--replace", "--port", port, "--json")
    (row,) = json.JSONDecoder().raw_decode(said)[0]
    assert (row["id"], row["state"], row["trouble"]) == ("dead", "commissioned", None)
    assert b'"address":4' in flash_of(village, "spare")
    keys = plan.with_name("device-keys.toml")
    new = board_keys.load(keys)["dead"].hex()
    assert new != KEYS["dead"]
    assert new.encode() in flash_of(village, "spare")
    assert board_keys.fingerprint(bytes.fromhex(KEYS["dead"])) in keys.read_text(encoding="utf-8")
