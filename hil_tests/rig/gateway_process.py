"""A gateway of a rig: the real agent, on a disk that fails and with a clock that jumps as its standard input says.

A line of JSON is what holds from then on: `full`, `broken`, `readonly` (1: so it is), `clock` (seconds beside the
machine's), `untrusted` (1: nobody vouches for it). The end of the input ends the gateway.
"""

import json
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import TextIO

from gateway.agent import Agent
from gateway.config import load
from gateway.errors import GewuError
from hil_tests.faults.clock import SteppedClock
from hil_tests.faults.disk import Disk, Failure, Kind
from hil_tests.faults.sqlite import connecting

_WRITES = ("write", "sync", "truncate", "delete")


def apply(told: dict[str, float], disk: Disk, clock: SteppedClock) -> None:
    """What one line says, from now on."""
    clock.offset_ms = round(1000 * told.get("clock", 0.0))
    clock.believed = "untrusted" if told.get("untrusted") else "trusted"
    failure: Failure | None = next(
        (failure for key, failure in _FAILURES.items() if told.get(key)), None
    )  # fmt: skip

    def fail(kind: Kind, _file: str) -> Failure | None:
        # A full or read-only disk still reads, and a full one takes a file away.
        if failure == "full":
            return failure if kind == "write" else None
        return failure if kind in _WRITES or failure == "io" else None

    disk.fail = fail if failure is not None else None


_FAILURES: dict[str, Failure] = {"full": "full", "broken": "io", "readonly": "readonly"}


def obey(lines: TextIO, disk: Disk, clock: SteppedClock, stop: threading.Event) -> None:
    """Until the input ends."""
    for line in lines:
        apply(json.loads(line), disk, clock)
    stop.set()


def main() -> int:
    """The exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    stop, disk, clock = threading.Event(), Disk(), SteppedClock()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    apply(json.loads(sys.stdin.readline()), disk, clock)
    try:
        agent = Agent(load(Path(sys.argv[1])), clock, connecting(disk))
        threading.Thread(target=obey, args=(sys.stdin, disk, clock, stop), daemon=True).start()
        agent.run(stop)
    except GewuError as error:
        print(f"gewu: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
