"""The settings slots that provisioning writes are those that a board reads."""

import ast
import binascii
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway import shipped
from gateway.errors import ConfigurationError
from hil_tests.rig.interpreter import micropython
from provisioning.protection_settings import ProtectionSettings
from provisioning.settings import FITTED, digest, slot_bytes

GOOD: dict[str, Any] = {"role": "breaker", "serial": "GW-000001", "address": 7, "rating": 16}
_PRINT = (
    "import settings; s = settings.load(); "
    "print(s.configured, s.serial, s.baud, s.curve, s.shunt_uohm, s.pins, s.digest)"
)


def test_a_slot_is_a_line_of_json_and_its_crc() -> None:
    """One line with "seq", a newline, 8 hexadecimal digits of CRC-32."""
    line, crc = slot_bytes(GOOD, 3).split(b"\n")
    assert json.loads(line)["seq"] == 3
    assert "shunt_uohm" not in json.loads(line)
    assert crc == b"%08x" % binascii.crc32(line)


def test_a_board_reads_what_provisioning_wrote(tmp_path: Path) -> None:
    """The firmware itself parses it; the higher number wins. Both know its settings by the same digest."""
    (tmp_path / "settings.a").write_bytes(slot_bytes(GOOD, 1))
    more = {"serial": "GW-000002", "baud": 115200, "curve": "D", "shunt_uohm": 50, "pins": {"bus_de": 4}}
    given = {
        **GOOD,
        **more,
        "key": "ab" * 32,
        "fitted": ["ntc", "arc"],
        "protection": {"residual": 30, "capacity": 900},
    }
    (tmp_path / "settings.b").write_bytes(slot_bytes(given, 2))
    done = subprocess.run(
        [micropython(), "-c", _PRINT],
        cwd=tmp_path,
        env={"PATH": os.defpath, "MICROPYPATH": str(shipped.firmware())},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"True b'GW-000002' 115200 D 50 {{'bus_de': 4}} {digest(given)}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("role", "fuse"),
        ("serial", ""),
        ("serial", "x" * 17),
        ("serial", 'a"b'),
        ("address", 0),
        ("address", "7"),
        ("baud", 100),
        ("parity", "O"),
        ("rating", 126),
        ("curve", "Z"),
        ("shunt_uohm", 9),
        ("current_ppm", 100_001),
        ("voltage_ppm", 0.5),
        ("meter_baud", 1200),
        ("pins", {"trip": 40}),
        ("meter", "hlw8012"),
        ("fitted", ["motion"]),
        ("fitted", ["residual"]),
        ("ntc_beta", 100),
        ("pins", {"tripp": 4}),
        ("colour", "red"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(key: str, value: Any) -> None:
    """Nothing a board would refuse leaves the bench; the sentence names the key."""
    with pytest.raises(ConfigurationError, match=key):
        slot_bytes({**GOOD, key: value}, 1)


def test_numbers_of_slots_start_at_one() -> None:
    """0 would lose against a board that counts from 1."""
    with pytest.raises(ConfigurationError, match="starts at 1"):
        slot_bytes(GOOD, 0)


def test_both_know_the_same_fittings() -> None:
    """FITTED of firmware/settings.py and of provisioning/settings.py are equal."""
    tree = ast.parse((shipped.firmware() / "settings.py").read_text(encoding="utf-8"))
    values = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "FITTED"
    ]
    assert [{role: tuple(names.split()) for role, names in value.items()} for value in values] == [FITTED]


def test_what_is_fitted_and_has_no_scale_is_a_sentence() -> None:
    """A residual-current input without the scale of its module is refused, and the sentence says what to give."""
    with pytest.raises(ConfigurationError, match="residual_ua_per_mv"):
        slot_bytes({**GOOD, "fitted": ["residual"]}, 1)
    with pytest.raises(ConfigurationError, match="divider"):
        slot_bytes({**GOOD, "meter": "ade7953", "shunt_uohm": 10, "divider": 20_000}, 1)
    assert b"ade7953" in slot_bytes({**GOOD, "meter": "ade7953", "fitted": ["residual"], "residual_ua_per_mv": 7}, 1)


def test_a_board_accepts_what_provisioning_accepts_of_the_protection() -> None:
    """Names, defaults, lowest and highest of both are equal, "off" included."""
    tree = ast.parse((shipped.firmware() / "protection_settings.py").read_text(encoding="utf-8"))
    known = {
        getattr(node.targets[0], "id", ""): ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
    }
    for name, (default, low, high) in known["RANGES"].items():
        off = () if name in known["NEVER_OFF"] else (0,)
        assert getattr(ProtectionSettings(), name) == default
        for value in (low, high, *off):
            assert getattr(ProtectionSettings.model_validate({name: value}), name) == value
        for value in {low - 1, high + 1, True, "1"} - {*off}:
            with pytest.raises(ValidationError):
                ProtectionSettings.model_validate({name: value})
    assert {*known["RANGES"], "residual_type"} == set(ProtectionSettings.model_fields)


def test_only_what_was_given_of_the_protection_is_written() -> None:
    """Defaults stay the board's own; a wrong value is refused by its key."""
    slot = slot_bytes({**GOOD, "protection": {"residual": 30, "undervoltage_trip": 0}}, 1)
    assert json.loads(slot.split(b"\n")[0])["protection"] == {"residual": 30, "undervoltage_trip": 0}
    with pytest.raises(ConfigurationError, match=r"protection\.temperature_trip"):
        slot_bytes({**GOOD, "protection": {"temperature_trip": 50}}, 1)
