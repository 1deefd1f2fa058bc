"""What lies on a board's flash before its first boot: firmware and settings, or nothing on a fresh one."""

import binascii
import json
import random
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from gateway.errors import ConfigurationError
from hil_tests.rig.device import Wiring
from hil_tests.rig.periphery import RESIDUAL_DIVIDER, RESIDUAL_UA_PER_MV, RESIDUAL_ZERO_MV
from hil_tests.rig.site import Board, Bus
from provisioning import firmware_build
from provisioning.firmware_build import firmware_files
from provisioning.settings import PINS, slot_bytes

# A shunt that puts the rated current at 1.6 mV and the chip's full scale at 18 times of it.
_FULL_SCALE_UOHM_A = 1600
# 1.91 Mohm over 330 ohm.
_DIVIDER = 5789
_GAS_ALARM_MV = 1500
_LOOSE_PARTS = 0.005  # of a board that nobody has calibrated, at most
_ACTUATOR_PIN = 4  # free where no DS18B20 is fitted, and low while the chip boots
_OCCUPIED_S = 10  # the shortest: who rehearses does not wait for five minutes


@cache
def _compiled() -> tempfile.TemporaryDirectory[str]:
    """The firmware as `gewu firmware build` leaves it, once for each process that plays a village."""
    folder = tempfile.TemporaryDirectory(prefix="gewu-firmware-")
    firmware_build.build(Path(folder.name))
    return folder


def settings_of(board: Board, bus: Bus) -> dict[str, Any]:
    """The settings that provisioning would give this board (keys: docs/firmware.md)."""
    settings: dict[str, Any] = {
        "role": board.profile.removeprefix("gewu-"),
        "serial": board.id[:16],
        "address": board.address,
        "baud": board.baud or bus.baud,
        "parity": bus.parity,
        "stopbits": bus.stopbits,
        "rating": board.rating,
        "curve": board.curve,
        "shunt_uohm": _FULL_SCALE_UOHM_A // board.rating,
        "divider": _DIVIDER,
        "meter": board.meter,
        "fitted": board.fitted,
    }
    if "residual" in board.fitted:
        settings["residual_zero_mv"] = RESIDUAL_ZERO_MV
        settings["residual_ua_per_mv"] = RESIDUAL_UA_PER_MV
        settings["residual_divider"] = RESIDUAL_DIVIDER * 1000
    if board.actuator:
        settings["pins"] = {"close": _ACTUATOR_PIN}
    if "gas" in board.fitted:
        settings |= {"gas_alarm_mv": _GAS_ALARM_MV, "gas_warm_s": 0}
    if "motion" in board.fitted:
        settings["occupied_s"] = _OCCUPIED_S
    return settings


def wiring_of(board: Board) -> Wiring:
    """The hardware that fits these settings, with parts that are off their design by the board's errors."""
    dice = random.Random(f"parts of {board.id}")
    raw = board.fresh or not board.settings
    chance = [dice.uniform(-_LOOSE_PARTS, _LOOSE_PARTS) if raw else 0.0 for _ in range(2)]
    current, voltage = (
        default if given is None else given
        for given, default in zip((board.gain_error, board.voltage_error), chance, strict=True)
    )
    return Wiring(
        trip=PINS["trip"],
        contact=PINS["contact"],
        shunt_uohm=_FULL_SCALE_UOHM_A // board.rating * (1 + current),
        divider=_DIVIDER / (1 + voltage),
        pins=PINS | ({"close": _ACTUATOR_PIN} if board.actuator else {}),
    )


def fill(folder: Path, board: Board, bus: Bus) -> None:
    """Make `folder` the flash of `board`; what an earlier run left beside firmware and settings stays."""
    folder.mkdir(parents=True, exist_ok=True)
    if board.fresh:
        return
    for stale in firmware_files():
        (folder / stale).unlink(missing_ok=True)  # a source would win over what is compiled
    for path in Path(_compiled().name).iterdir():
        shutil.copyfile(path, folder / path.name)
    if board.settings:
        (folder / "settings.a").write_bytes(slot_bytes(settings_of(board, bus), 1))


def resettle(folder: Path, changed: dict[str, int]) -> None:
    """Load other settings onto the flash in `folder`, as provisioning would; ConfigurationError on a fresh board.

    The board takes them when it starts next.
    """
    found = {name: record for name in ("a", "b") if (record := _slot(folder / f"settings.{name}")) is not None}
    if not found:
        raise ConfigurationError(f"The board {folder.name} has no settings yet: commission it first.")
    newest = max(found, key=lambda name: found[name]["seq"])
    settings = {key: value for key, value in found[newest].items() if key != "seq"} | changed
    other = "b" if newest == "a" else "a"
    (folder / f"settings.{other}").write_bytes(slot_bytes(settings, found[newest]["seq"] + 1))


def _slot(path: Path) -> dict[str, Any] | None:
    """The record of a slot (firmware/slots.py says how it lies there); None where there is no whole one."""
    line, _, check = path.read_bytes().partition(b"\n") if path.exists() else (b"", b"", b"")
    if not line or check[:8] != b"%08x" % binascii.crc32(line):
        return None
    record: dict[str, Any] = json.loads(line)
    return record
