"""A small gateway for the tests to kill: it accepts, delivers, and notes on disk what it accepted.

`python -m gateway.tests.outbox_writer FOLDER URL acks|plain COUNT EVENTS` accepts readings until COUNT are accepted
over all its lives, with an event now and then, then waits until everything is delivered and ends 0.
"""

import logging
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from gateway.clock import SystemClock
from gateway.filters import Filter
from gateway.outbox import Outbox
from gateway.records import Event, Reading
from gateway.uplink import Uplink, UplinkSettings


@dataclass
class _Route:
    name: str = "county"
    acks: bool = True
    max_delay: float = 0.2
    filter: Filter | None = None
    whole_blocks: bool = False
    repeats: bool = False


def main(folder: Path, url: str, acks: bool, count: int) -> int:
    """Accept up to `count` readings in all, an event with every fiftieth, and deliver."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    clock = SystemClock()
    outbox = Outbox(folder, clock, [_Route(acks=acks)])
    outbox.start()
    settings = UplinkSettings(
        name="county", site="test", gateway="g1", url=url, acks=acks, ack_timeout=1.0, window=8, reserved=2
    )
    uplink = Uplink.of(settings, outbox, clock, dict)
    uplink.start()
    while (done := outbox.stats().accepted) < count:
        for number in range(done, min(done + 25, count)):
            outbox.put_reading(_reading(number))
        outbox.accept_event(_event(done), "key")
        time.sleep(0.02)
    print("ALL", flush=True)
    while outbox.stats().queued:
        time.sleep(0.05)
    uplink.stop()
    outbox.close()
    return 0


def _reading(number: int) -> Reading:
    return Reading(device="b0101", at=1_795_000_000_000 + number, mono=number, clock="trusted", values={"v": number})


def _event(number: int) -> Event:
    return Event(
        id=str(uuid.uuid4()), kind="trip.overcurrent", grade=1, device="b0101", place="p", raised=1_795_000_000_000,
        cleared=None, mono=number, clock="trusted",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "acks", int(sys.argv[4])))
