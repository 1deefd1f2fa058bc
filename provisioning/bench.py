"""One board at the bench against the reference meter: two points, its factors, and a look at what it shows with them.

It puts `reference`, `measuring` and `calibration` in order; where the factors are kept is `commission`'s business.
"""

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from gateway.bus import jsonl
from provisioning import calibration
from provisioning.calibration import CHECK, POINTS, Point, Reading
from provisioning.measuring import samples
from provisioning.reference import ReferenceMeter
from provisioning.repl import Repl
from provisioning.trouble import Trouble

# Reports come once a second; what was measured before the check point has left the chip after two of them.
_PASSED_OVER, _TAKEN = 2, 3
_REPORTS_S = 30.0


class Bench:
    """`again`: boards that are calibrated already are calibrated anew. From several threads."""

    def __init__(self, reference: ReferenceMeter, again: bool = False) -> None:
        self.reference, self.again = reference, again
        self._lock = threading.Lock()

    def turn(self) -> AbstractContextManager[Any]:
        """One board after the other where the bench holds one."""
        return self._lock if self.reference.alone else nullcontext()

    def calibrate(self, board: Repl, port: str, serial: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The factors as settings, with the points that gave them (`points`) and whose word they are (`reference`)."""
        points = []
        for name in POINTS:
            true = self.reference.read(port, serial, name)
            points.append(Point(true, calibration.mean(samples(board, settings))))
        gains = calibration.gains_of(points, int(settings["rating"]))
        said = [{"true": point.true.as_json(), "shown": point.shown.as_json()} for point in points]
        return {**gains, "points": said, "reference": self.reference.name}

    def check(self, board: Repl, port: str, serial: str) -> dict[str, Any]:
        """What the running firmware shows at a third point, beside the truth. Trouble `check-failed`."""
        true = self.reference.read(port, serial, CHECK)
        board.forget()
        shown = calibration.mean(_reported(board))
        calibration.check(true, shown)
        return {"true": true.as_json(), "shown": shown.as_json()}


def _reported(board: Repl) -> list[Reading]:
    """What the next reports say, without those that were measured before."""
    found: list[Reading] = []
    for line in board.lines(_REPORTS_S):
        try:
            report = jsonl.parse(line)
        except jsonl.BadLine:
            continue  # the first one may be cut
        if report is not None:
            numbers = (float(report.values.get(name) or 0.0) for name in ("voltage", "current", "power"))
            found.append(Reading(*numbers))
        if len(found) == _PASSED_OVER + _TAKEN:
            return found[_PASSED_OVER:]
    raise Trouble("meter-silent", "the board reports nothing at the check point")
