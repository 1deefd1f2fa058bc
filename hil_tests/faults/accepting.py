"""A child that accepts events into an outbox and tells the id of each once it is accepted, until it is killed.

What it has told is promised: whoever kills it may ask for every one of them.
"""

import sys
from pathlib import Path

from gateway.clock import SystemClock
from gateway.outbox import Outbox
from hil_tests.faults.samples import Route, event, reading

_READINGS = 3  # beside each event: they share its commit


def main() -> None:
    """The child: `python -m hil_tests.faults.accepting FOLDER`."""
    outbox = Outbox(Path(sys.argv[1]), SystemClock(), [Route()])
    number = 0
    while True:
        for _ in range(_READINGS):
            outbox.put_reading(reading(number))
            number += 1
        outbox.accept_event(event(f"event-{number}"), str(number))
        print(f"event-{number}", flush=True)


if __name__ == "__main__":
    main()
