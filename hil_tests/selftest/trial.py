"""One trial: the checks that are named on the command line, on a virtual bench of the tree that this runs from.

A process of its own, so that the tree can be a mutated copy. It prints one JSON document: the verdict of each check,
with what was expected and what came.
"""

import json
import sys

from hil_tests.hil import session
from hil_tests.hil.bench_file import BenchFile
from hil_tests.hil.virtual import shipped, up


def run(bench: BenchFile, checks: list[str]) -> list[dict[str, str]]:
    """The verdicts of `checks` (ids without a device), one for each device that a check is for."""
    with up(bench) as opened:
        results = session.run(opened, session.Plan(only=checks), lambda _: None)
    return [
        {
            "check": one.id.partition("[")[0],
            "verdict": one.verdict,
            "expected": str(one.expected or ""),
            "came": str(one.came or one.reason or ""),
        }
        for one in results
    ]


def main() -> None:
    """The process of a trial."""
    print(json.dumps(run(shipped(smoke=True), sys.argv[1:])), flush=True)


if __name__ == "__main__":
    main()
