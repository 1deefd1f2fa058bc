"""Runs the firmware's protection under MicroPython: questions in, what it did out. It knows no standard."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from gateway import shipped
from gateway.errors import ConfigurationError, GewuError
from hil_tests.rig.interpreter import micropython

HORIZON_S = 10_800.0
_SCRIPT = Path(__file__).parents[1] / "rig" / "board" / "curve_bench.py"
_PATIENCE_S = 600

Meter = Literal["bl0942", "ade7953"]
# By number as the firmware has them: causes (firmware/protection.py), who opened (firmware/protection_record.py).
ELEMENTS = (
    None, "thermal", "instantaneous", "residual", "overvoltage", "undervoltage", "temperature", "arc", "remote",
    "lockout",
)  # fmt: skip
ACTORS = (None, "firmware", "chip", "module")


@dataclass(frozen=True, slots=True)
class Question:
    """One fault on one breaker: `amps` (A), `volts` (V) or `leak` (A) from one moment on.

    `hot`: soaked at that multiple of In for the conventional time before; 0 is cold. `residual`: rated residual
    current (A) of the module, 0 without.
    """

    rating: int
    curve: str = "C"
    meter: Meter = "bl0942"
    amps: float | None = None
    volts: float = 230.0
    residual: float = 0.0
    type: str = "G"
    leak: float = 0.0
    hot: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """`after` s from the fault to the open circuit, None when it stayed closed for three hours.

    `withheld`: above the breaking capacity, so the upstream device opens and this one does not.
    """

    after: float | None
    element: str | None
    by: str | None
    withheld: bool = False


def run(questions: Sequence[Question]) -> list[Outcome]:
    """What the real protection does, in the order asked. ConfigurationError when MicroPython is missing."""
    lines = [
        json.dumps({key: value for key, value in asdict(question).items() if value is not None})
        for question in questions
    ]
    done = subprocess.run(
        [str(micropython()), "-X", "heapsize=2m", str(_SCRIPT)],
        input="\n".join(lines) + "\n",
        env={"PATH": os.defpath, "MICROPYPATH": str(shipped.firmware())},
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no word"]
        raise GewuError(f"The firmware under MicroPython ended with {last[0]!r}.")
    return [
        _outcome(question, json.loads(line)) for question, line in zip(questions, done.stdout.splitlines(), strict=True)
    ]


def _outcome(question: Question, answer: dict[str, int | bool | None]) -> Outcome:
    if "soak_ms" in answer:
        raise ConfigurationError(
            f"At {question.hot:g} times In it trips during the soak, after {int(answer['soak_ms'] or 0) / 1000:g} s: "
            "--hot takes 1.13 or less to stay below the trip."
        )
    after = answer["after_ms"]
    return Outcome(
        after=None if after is None else after / 1000,
        element=ELEMENTS[int(answer["cause"] or 0)],
        by=ACTORS[int(answer["by"] or 0)],
        withheld=bool(answer["withheld"]),
    )
