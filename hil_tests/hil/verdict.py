"""Verdicts and what a test hands over with one. Pure: it neither runs nor prints anything.

PASS and FAIL are about the device. SETUP-ERROR says that bench, instrument or suite failed, so that nothing is known of
the device; NOT-RUN that a bench lacks something, with the reason. Neither is ever counted as a pass.
"""

from typing import Literal

import msgspec

from gateway.errors import GewuError
from hil_tests.hil.words import Words

Verdict = Literal["PASS", "FAIL", "SETUP-ERROR", "NOT-RUN"]
VERDICTS: tuple[Verdict, ...] = ("PASS", "FAIL", "SETUP-ERROR", "NOT-RUN")
Judgement = Literal["met", "missed", "undecided"]


class Finding(AssertionError):
    """The device is not as it should be: `expected` and `came` are sentences without a full stop."""

    def __init__(self, expected: str, came: str, step: Words | None = None) -> None:
        super().__init__(f"expected {expected}; came {came}")
        self.expected, self.came, self.step = expected, came, step


class BenchTrouble(GewuError):
    """The bench, an instrument or a person stood in the way: nothing is known of the device."""


class NotRun(Exception):
    """The bench lacks what the test needs; the reason is for the paper."""

    def __init__(self, reason: Words) -> None:
        super().__init__(reason.en)
        self.reason = reason


class TripRow(msgspec.Struct, frozen=True, kw_only=True):
    """One injection. Values in the unit of `quantity` (A, V, A residual), times in s; None: it did not trip.

    `board_s`: the board's own time, where it has one; `lowest` and `longest` as in `curve.limits.Limit`.
    """

    device: str
    element: str
    quantity: str
    point: str
    multiple: float
    value: float
    value_uncertainty: float
    seconds: float | None
    uncertainty_s: float
    board_s: float | None
    lowest: float
    longest: float | None
    provenance: str
    judgement: str
    instrument: str
    real_time: bool


class AccuracyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One reading beside the reference meter's; `limit` is the largest difference that is allowed."""

    device: str
    quantity: str
    unit: str
    reference: float
    uncertainty: float
    measured: float
    limit: float
    judgement: str


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from the end of a request to the first byte of its answer, on one bus."""

    bus: str
    baud: int
    milliseconds: list[float]
    errors: int


class Measures(msgspec.Struct, kw_only=True):
    """What tests measured beside their verdicts."""

    trips: list[TripRow] = []
    accuracy: list[AccuracyRow] = []
    latencies: list[Latency] = []
    curves: dict[str, list[tuple[float, float]]] = {}  # device: multiple of In, s
    versions: dict[str, str] = {}  # firmware by device, as found
    serials: dict[str, str] = {}
    notes: list[str] = []


class Result(msgspec.Struct, kw_only=True):
    """One test on one device (or on none): the first cause stands in `reason`, what came after it in `also`."""

    id: str
    suite: str
    title: Words
    device: str | None
    verdict: Verdict
    seconds: float = 0.0
    reason: Words | None = None
    expected: str = ""
    came: str = ""
    step: Words | None = None
    trace: list[str] = []
    also: list[str] = []
    measures: Measures = msgspec.field(default_factory=Measures)


def expect(condition: object, expected: str, came: object, step: Words | None = None) -> None:
    """Raise a Finding unless `condition`."""
    if not condition:
        raise Finding(expected, str(came), step)


def judged(seconds: float | None, uncertainty: float, lowest: float, longest: float | None, waited: float) -> Judgement:
    """Whether a trip time meets its limits, whatever the true time within +-`uncertainty` s is.

    `longest` None: it must not trip within `lowest`. `waited`: for how long it was watched where it did not trip.
    """
    if seconds is None:
        if longest is None:
            return "met" if waited >= lowest else "undecided"
        return "missed" if waited - uncertainty > longest else "undecided"
    low, high = seconds - uncertainty, seconds + uncertainty
    top = float("inf") if longest is None else longest
    if low >= lowest and high <= top:
        return "met"
    return "missed" if high < lowest or low > top else "undecided"


def near(measured: float, reference: float, uncertainty: float, limit: float) -> Judgement:
    """Whether `measured` lies within `limit` of a reference that is known within +-`uncertainty`."""
    apart = abs(measured - reference)
    if apart + uncertainty <= limit:
        return "met"
    return "missed" if apart - uncertainty > limit else "undecided"


def counted(results: list[Result]) -> dict[str, int]:
    """How many of each verdict; all four are named."""
    return {verdict: sum(one.verdict == verdict for one in results) for verdict in VERDICTS}
