"""One injection with its verdict and its row in the table of the paper. What the limits are, the caller says."""

import time
from dataclasses import replace

from hil_tests.curve.limits import Limit, out_of_reach
from hil_tests.hil.bench import Bench
from hil_tests.hil.bench_file import Device
from hil_tests.hil.board import Board
from hil_tests.hil.verdict import BenchTrouble, Finding, Measures, TripRow, judged
from hil_tests.injectors.injector import Injector, Quantity, TripTime

_TRIES = 12
_GRACE = 1.25  # of the longest time, before it counts as no trip
UNITS = {"amps": "A", "volts": "V", "residual": "A", "celsius": "°C"}


class Trial:
    """Injections on one breaker, each written down for the paper."""

    def __init__(self, bench: Bench, device: Device, measures: Measures) -> None:
        self.bench, self.device, self.measures = bench, device, measures

    def at(
        self,
        limit: Limit,
        quantity: Quantity,
        unit: float,
        *,
        board: Board | None = None,
        element: str,
        watch_s: float | None = None,
        again: object = None,
    ) -> TripTime:
        """Inject `limit.at` times `unit` and judge the trip time. `board` None: in hurried time where there is one.

        `watch_s`: for how long a breaker that must not trip is watched. Where the instrument's uncertainty straddles a
        limit it is tried again (`again`, called before each, makes the breaker ready); BenchTrouble when it stays so.
        """
        if limit.longest is None and watch_s is not None:
            limit = replace(limit, lowest=watch_s)
        injector = self.bench.injector if board is not None else self.bench.long_delays
        for _ in range(_TRIES):
            time_, board_s, waited = self._inject(injector, board, limit, quantity, unit)
            found = judged(time_.seconds, time_.uncertainty_s, limit.lowest, limit.longest, waited)
            if found != "undecided" or out_of_reach(limit, self.device.meter):
                break
            if callable(again):
                again()
        # What the fitted chip cannot meet at every moment is never called met, whatever one run shows.
        excused = out_of_reach(limit, self.device.meter)
        self._note(limit, quantity, unit, time_, board_s, element, "not met" if excused else found, injector)
        if found == "missed" and not excused:
            raise Finding(f"{limit.name}: {limit.says()} at {limit.at * unit:g} {UNITS[quantity]}", said(time_))
        if found == "undecided" and not excused:
            raise BenchTrouble(
                f"{limit.name}: {said(time_)} cannot be told from the limit ({limit.says()}) with this instrument; "
                "use a better one, or a machine that is idle."
            )
        return time_

    def _inject(
        self, injector: Injector, board: Board | None, limit: Limit, quantity: Quantity, unit: float
    ) -> tuple[TripTime, float | None, float]:
        longest = limit.lowest if limit.longest is None else limit.longest * _GRACE + 1.0
        began = time.monotonic()
        found = injector.trip_time(self.device.id, quantity=quantity, value=limit.at * unit, timeout_s=longest)
        board_s = None
        if board is not None and found.seconds is not None:
            now, age = time.monotonic(), board.number("trip_age") / 1000
            board_s = max(0.0, now - age - began)
        return found, board_s, longest

    def _note(
        self,
        limit: Limit,
        quantity: Quantity,
        unit: float,
        found: TripTime,
        board_s: float | None,
        element: str,
        judgement: str,
        injector: Injector,
    ) -> None:
        self.measures.trips.append(
            TripRow(
                device=self.device.id,
                element=element,
                quantity=quantity,
                point=limit.name,
                multiple=limit.at,
                value=found.value,
                value_uncertainty=found.value_uncertainty,
                seconds=found.seconds,
                uncertainty_s=round(found.uncertainty_s, 4),
                board_s=None if board_s is None else round(board_s, 3),
                lowest=limit.lowest,
                longest=limit.longest,
                provenance=limit.provenance,
                judgement=judgement,
                instrument=injector.name,
                real_time=injector is not self.bench.long_delays or self.bench.file.bench.kind != "virtual",
            )
        )


def said(found: TripTime) -> str:
    """A trip time in words."""
    if found.seconds is None:
        return "no trip"
    return f"a trip after {found.seconds:.3f} s (± {found.uncertainty_s:.3f} s)"
