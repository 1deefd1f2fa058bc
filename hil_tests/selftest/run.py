"""The whole self-test: sound code must be green and every mutant red, each in a copy and in processes of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from gateway.errors import GewuError
from hil_tests.selftest.mutations import MUTATIONS, Mutation
from hil_tests.selftest.tree import copied

_LONGEST_S = 300.0
Say = Callable[[str], None]


class Row(msgspec.Struct, frozen=True):
    """One mutant. `caught`: its check, green on sound code, was red (FAIL) on it; `came` is what the check said."""

    mutation: str
    says: str
    file: str
    check: str
    sound: str
    mutant: str
    caught: bool
    came: str
    seconds: float


def run(say: Say, mutations: Sequence[Mutation] = MUTATIONS, lanes: int = 2) -> list[Row]:
    """Every row, in order. GewuError when a mutation does not fit the code, or a trial did not come to an end."""
    for mutation in mutations:
        with copied(mutation):
            pass  # all of them fit, before minutes are spent
    with ThreadPoolExecutor(lanes) as pool:
        say("sound code first")
        checks = sorted({mutation.check for mutation in mutations})
        sound = pool.submit(_verdicts, None, checks)
        mutants = [pool.submit(_verdicts, mutation, [mutation.check]) for mutation in mutations]
        green = sound.result()[0]
        rows = []
        for mutation, trial in zip(mutations, mutants, strict=True):
            rows.append(_row(mutation, green[mutation.check], *trial.result()))
            say(f"{mutation.name}: {'caught' if rows[-1].caught else 'NOT caught'} by {mutation.check}")
    return rows


def _row(mutation: Mutation, sound: dict[str, str], found: dict[str, dict[str, str]], seconds: float) -> Row:
    mutant = found[mutation.check]
    return Row(
        mutation=mutation.name,
        says=mutation.says,
        file=mutation.file,
        check=mutation.check,
        sound=sound["verdict"],
        mutant=mutant["verdict"],
        caught=sound["verdict"] == "PASS" and mutant["verdict"] == "FAIL",
        came=mutant["came"] if mutant["verdict"] != "PASS" else sound["came"],
        seconds=round(seconds, 1),
    )


def _verdicts(mutation: Mutation | None, checks: list[str]) -> tuple[dict[str, dict[str, str]], float]:
    """The worst verdict of each check, over all devices that it is for; and how long it took."""
    began = time.monotonic()
    with copied(mutation) as root:
        trial = subprocess.run(
            [sys.executable, "-P", "-m", "hil_tests.selftest.trial", *checks],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
    about = f"the mutant {mutation.name!r}" if mutation else "sound code"
    if trial.returncode:
        words = trial.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise GewuError(f"The trial of {about} ended with {trial.returncode} and said: {words[0]}")
    found: dict[str, dict[str, str]] = {}
    order = ("FAIL", "SETUP-ERROR", "NOT-RUN", "PASS")
    for verdict in json.loads(trial.stdout):
        before = found.get(verdict["check"])
        if before is None or order.index(verdict["verdict"]) < order.index(before["verdict"]):
            found[verdict["check"]] = verdict
    if missing := sorted(set(checks) - found.keys()):
        raise GewuError(f"The trial of {about} did not run {', '.join(missing)}: there is no such check.")
    return found, time.monotonic() - began
