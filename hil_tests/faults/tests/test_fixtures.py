"""Each fixture once, with the gateway's own outbox and uplink on it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.outbox import Outbox
from hil_tests.brokers import Mosquitto
from hil_tests.faults.clock import SteppedClock
from hil_tests.faults.disk import Disk
from hil_tests.faults.link import SickLink
from hil_tests.faults.samples import Route, event
from hil_tests.faults.sqlite import connecting
from hil_tests.faults.witness import Witness

HOUR_MS = 3_600_000


@pytest.mark.integration
def test_a_consumer_over_a_sick_network(sick_network: Callable[[int], SickLink]) -> None:
    """An MQTT client connects through a link that loses a tenth of its packets, and is parted from nobody."""
    with Mosquitto() as broker:
        link = sick_network(broker.port)
        link.lose(0.1)
        with Witness(link.port, host=link.host) as witness:
            assert witness.subscribed.is_set()
        link.heal()


def test_a_full_disk_refuses_and_recovers(tmp_path: Path, sick_disk: Disk, stepped_clock: SteppedClock) -> None:
    """What is refused is not accepted; on a sound disk it is, by the time of the clock that was handed in."""
    outbox = Outbox(tmp_path, stepped_clock, [Route()], connect=connecting(sick_disk))
    sick_disk.fail = lambda kind, _file: "io" if kind in ("write", "sync") else None
    with pytest.raises(StoreError):
        outbox.accept_event(event("lost"), "1")
    sick_disk.fail = None
    stepped_clock.offset_ms, stepped_clock.believed = HOUR_MS, "untrusted"
    outbox.accept_event(event("kept"), "2")
    assert {record.event.id for record in outbox.open_events()} == {"kept"}
    assert abs(stepped_clock.wall_ms() - SteppedClock().wall_ms() - HOUR_MS) < 60_000
    outbox.close()
