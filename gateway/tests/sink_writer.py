"""A small gateway in a process of its own, to be killed: readings into an outbox, from there into files by day.

    python -m gateway.tests.sink_writer FOLDER endless|drain

It goes on with the next reading at each start, for ever, and says so now and then; or writes what waits, and ends.
"""

import sys
from pathlib import Path

from gateway.clock import SystemClock
from gateway.config.routes import Route
from gateway.outbox import Outbox
from gateway.records import Reading
from gateway.sinks import Sink
from gateway.sinks.files import DayFiles


def main(folder: Path, endless: bool) -> None:
    clock = SystemClock()
    outbox = Outbox(folder / "data", clock, [Route(name="archive", acks=False, max_delay=0.0)])
    outbox.start()
    sink = Sink("archive", "jsonl", DayFiles("archive", folder / "files", "jsonl", 30, clock), outbox, clock)
    sink.start()
    number = outbox.stats().accepted
    while endless:
        outbox.put_reading(
            Reading(device="d", at=clock.wall_ms(), mono=clock.mono_ms(), clock="trusted", values={"number": number})
        )
        number += 1
        if number % 10 == 0:
            outbox.flush()
            print("accepted", flush=True)
    while outbox.stats().queued:
        clock.sleep(0.02)
        outbox.flush()
    sink.request_stop(drain=5)
    sink.join()
    outbox.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "endless")
