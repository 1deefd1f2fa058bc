"""What the fitted hardware can and cannot do, and the self-test of the residual-current module. Pure.

Elements faster than 100 ms are hardware: the metering chip's pin and the module's trip output, both on the trip
latch. What is not fitted is reported as not met, never passed over.
"""

from micropython import const
from protection_delay import Delay

# Bits of the register not_met.
_SHORT_CIRCUIT = const(1)  # IEC 60898-1 row e, below 0.1 s
_VOLT_350 = const(2)  # EN 50550, 0.75 s
_VOLT_400 = const(4)  # EN 50550, 0.2 s
_RESIDUAL = const(8)  # IEC 61008-1 from twice the rated residual current on
_CAPACITY = const(16)  # no comparator blocks the latch above the breaking capacity

# States of the self-test.
_UNTESTED = const(0)
_RUNS = const(1)
_PASSED = const(2)
_FAILED = const(3)

_ANSWER_MS = const(1000)
_EVERY_S = const(2_592_000)  # 30 days: makers of residual-current devices ask for a test a month


def not_met(quick: bool, fitted, residual: int) -> int:
    """The bits. `quick`: the meter sees peaks; `residual` mA, 0 where the circuit needs no such element."""
    bits = 0 if "fast_output" in fitted else _SHORT_CIRCUIT
    if not quick:
        bits |= _VOLT_350 | _VOLT_400
    if residual and "residual_output" not in fitted:
        bits |= _RESIDUAL
    return bits if "over_capacity" in fitted else bits | _CAPACITY


class SelfTest:
    """Drives the module's test input while the trip latch is blocked, and waits for the module's trip output.

    `drive` is the level of the test input and of the latch's block. It runs after the start and every 30 days, only
    with the latch calm; the other elements go on meanwhile. `fitted` False never runs.
    """

    def __init__(self, fitted: bool) -> None:
        self.state = _UNTESTED
        self.drive = 0
        self._fitted = fitted
        self._due = 0  # s until the next
        self._rest = 0
        self._answer = Delay()
        self._back = Delay()
        self._heard = False

    def start(self) -> None:
        """Ask for a test now."""
        self._due = 0

    def step(self, elapsed: int, output: bool, calm: bool) -> bool:
        """`output` of the module, `calm`: no trip stands. True while the output belongs to the test."""
        if not self._fitted:
            return False
        self._rest += min(elapsed, 100_000)
        self._due = max(0, self._due - self._rest // 1000)
        self._rest %= 1000
        if self.state == _RUNS:
            self._run(elapsed, output)
            return True
        if self._due == 0 and calm:
            self._due = _EVERY_S
            if output:
                self.state = _FAILED  # it calls for a trip before it was asked: stuck
                return False
            self.state = _RUNS
            self.drive = 1
            self._heard = False
            self._answer.held = self._back.held = -1
            return True
        return False

    def _run(self, elapsed: int, output: bool) -> None:
        if not self._heard:
            self._heard = output
            if output:
                self.drive = 2  # the test input rests, the block stays until the output has gone
            elif self._answer.stands(elapsed, True, _ANSWER_MS):
                self._end(_FAILED)
        elif not output:
            self._end(_PASSED)
        elif self._back.stands(elapsed, True, _ANSWER_MS):
            self._end(_FAILED)

    def _end(self, state: int) -> None:
        self.state = state
        self.drive = 0
