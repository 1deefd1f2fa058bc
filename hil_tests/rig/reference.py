"""The reference meter of a virtual bench: it sets what a board's circuit carries and says exactly that.

The bench of `gewu provision commission --calibrate rig`; each virtual board has a circuit of its own, so boards need no
turns. It asks the running rig through its socket and measures nothing.
"""

import os
from pathlib import Path

from gateway.errors import GewuError
from hil_tests.rig.control import ask, find_rig
from provisioning.calibration import CHECK, Reading
from provisioning.trouble import Trouble

# Volts and amperes; power factor 1, as a calibrator's.
_SET = {"low": (115.0, 3.0), "high": (230.0, 15.0), CHECK: (225.0, 8.0)}


class RigReference:
    """The truth of the rig in `folder` (None: the only one that runs)."""

    alone = False

    def __init__(self, folder: Path | None) -> None:
        self._folder = find_rig(folder)
        self.name = f"virtual bench {self._folder.name}"
        boards = ask(self._folder, {"do": "state"})["boards"]
        self._boards = {os.path.realpath(board["usb"]): board["id"] for board in boards}

    def read(self, port: str, serial: str, point: str) -> Reading:
        """Sets the point and says it. Trouble where the port is no board of this rig."""
        board = self._boards.get(os.path.realpath(port))
        if board is None:
            raise Trouble("no-reference", f"{port} is no board of the rig in {self._folder}")
        voltage, current = _SET[point]
        pairs = {"voltage": voltage, "current": current, "power_factor": 1, "frequency": 50}
        try:
            ask(self._folder, {"do": "inject", "board": board, "values": {key: str(pairs[key]) for key in pairs}})
        except GewuError as error:
            raise Trouble("no-reference", str(error).rstrip(".")) from error
        return Reading(voltage, current, voltage * current)
