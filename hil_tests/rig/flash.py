"""What lies on a board's flash before its first boot: firmware and settings, or nothing on a fresh one."""

import shutil
from pathlib import Path
from typing import Any

from hil_tests.rig.device import Wiring
from hil_tests.rig.site import Board, Bus
from provisioning.firmware_build import firmware_files
from provisioning.settings import PINS, slot_bytes

# A shunt that puts the rated current at 1.6 mV and the chip's full scale at 18 times of it.
_FULL_SCALE_UOHM_A = 1600
# 1.91 Mohm over 499 ohm.
_DIVIDER = 3824


def settings_of(board: Board, bus: Bus) -> dict[str, Any]:
    """The settings that provisioning would give this board (keys: docs/firmware.md)."""
    return {
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
    }


def wiring_of(board: Board) -> Wiring:
    """The hardware that fits these settings."""
    return Wiring(
        trip=PINS["trip"],
        contact=PINS["contact"],
        shunt_uohm=_FULL_SCALE_UOHM_A // board.rating,
        divider=_DIVIDER,
    )


def fill(folder: Path, board: Board, bus: Bus) -> None:
    """Make `folder` the flash of `board`; what an earlier run left beside firmware and settings stays."""
    folder.mkdir(parents=True, exist_ok=True)
    if board.fresh:
        return
    for name, source in firmware_files().items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    (folder / "settings.a").write_bytes(slot_bytes(settings_of(board, bus), 1))
