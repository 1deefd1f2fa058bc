"""A small gateway in a process of its own, to be killed: readings into an outbox, from there to files or a broker.

    python -m gateway.tests.mortal_gateway FOLDER endless|drain [BROKER_URL]

It goes on with the next reading at each start, for ever, and says so now and then; or delivers what waits, and ends.
With a broker's URL it speaks Sparkplug, else it writes files by day.
"""

import sys
from pathlib import Path

from gateway.clock import Clock, SystemClock
from gateway.config.routes import Route
from gateway.outbox import Outbox
from gateway.records import Reading
from gateway.sinks import Sink
from gateway.sinks.files import DayFiles
from gateway.uplink import Uplink, UplinkSettings

NAME = "out"


def main(folder: Path, endless: bool, url: str | None) -> None:
    clock = SystemClock()
    outbox = Outbox(folder / "data", clock, [Route(name=NAME, acks=False, max_delay=0.0)])
    outbox.start()
    way = _way(folder, url, outbox, clock)
    way.start()
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
    way.request_stop(drain=5)
    way.join()
    outbox.close()


def _way(folder: Path, url: str | None, outbox: Outbox, clock: Clock) -> Sink | Uplink:
    if url is None:
        return Sink(NAME, "jsonl", DayFiles(NAME, folder / "files", "jsonl", 30, clock), outbox, clock)
    settings = UplinkSettings(name=NAME, site="s", gateway="mortal", url=url, format="sparkplug", max_delay=0.0)
    return Uplink.of(settings, outbox, clock, dict)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "endless", sys.argv[3] if len(sys.argv) > 3 else None)
