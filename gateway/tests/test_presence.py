"""The gateway as it is now: from the buses' own reports and the outbox, also while that cannot be read."""

from pathlib import Path

from gateway.bus.status import BusStatus, DeviceStatus
from gateway.config import load
from gateway.errors import StoreError
from gateway.presence import Presence
from gateway.records import OpenEvent
from gateway.tests.fake_clock import FakeClock
from gateway.tests.present_samples import NOW, event
from gateway.tests.present_samples import Now as Samples
from gateway.uplink.present import Glance, NoDevices, Standing


class Kept:
    """The outbox's part. `sick` refuses to be read."""

    def __init__(self) -> None:
        self.sick = False
        self.notes: dict[str, bytes] = {}

    def open_events(self) -> list[OpenEvent]:
        if self.sick:
            raise StoreError("The disk is gone.")
        return [OpenEvent(event=event("device.lost"), key="k")]

    def note(self, key: str) -> bytes | None:
        return self.notes.get(key)

    def set_note(self, key: str, value: bytes) -> None:
        self.notes[key] = value


def status() -> BusStatus:
    device = DeviceStatus(
        id="b1", address=1, place="p", profile="gewu-breaker", online=True, last_seen=NOW, first_reading=NOW,
        values={"voltage": 230.0}, marks={"voltage": "stale"}, trouble=None, mismatched=False,
    )  # fmt: skip
    return BusStatus(
        name="north", port="/dev/a", baud=9600, open=True, polls=1, errors={}, utilisation=0.1, trouble=None,
        devices=[device],
    )  # fmt: skip


def test_it_is_what_the_buses_and_the_outbox_say(tmp_path: Path) -> None:
    """Devices with their profiles from the configuration, standing from the bus, events and notes from the outbox."""
    file = tmp_path / "gewu.toml"
    file.write_text(
        '[gateway]\nid = "g"\nsite = "s"\n[[bus]]\nport = "/dev/a"\n[[bus.device]]\nid = "b1"\n'
        'profile = "gewu-breaker"\naddress = 1\nplace = "street"\n'
    )
    kept = Kept()
    present = Presence(load(file).bus, lambda: [status()], kept)
    (device,) = present.devices
    assert (device.id, device.place, device.profile.name) == ("b1", "street", "gewu-breaker")
    assert present.standing() == {"b1": Standing(True, NOW, {"voltage": 230.0}, {"voltage": "stale"})}
    present.set_note("k", b"v")
    assert (present.note("k"), kept.notes) == (b"v", {"k": b"v"})
    assert [one.kind for one in present.open_events()] == ["device.lost"]
    kept.sick = True
    assert [one.kind for one in present.open_events()] == ["device.lost"]


def test_a_look_serves_for_a_second() -> None:
    """A message has many devices, and each look asks every bus and the outbox; what must be fresh is."""
    clock, now = FakeClock(NOW), Samples()
    glance = Glance(now, clock)
    first = glance.now()
    now.stands = {"b0101": Standing(False)}
    now.events = [event("trip.overcurrent"), event("alarm.arc"), event("gateway.disk", device=None)]
    assert glance.now() is first
    assert glance.now(fresh=True).of("b0101").online is False
    assert glance.now().raised == {"b0101": {"trip.overcurrent", "alarm.arc"}, None: {"gateway.disk"}}
    now.stands = {}
    clock.now += 1
    assert glance.now().of("b0101") == Standing(online=False)


def test_a_gateway_without_devices_still_keeps_notes() -> None:
    """What an uplink stands on where nobody told it of a gateway."""
    kept = Kept()
    nobody = NoDevices(kept)
    nobody.set_note("k", b"v")
    assert (nobody.note("k"), nobody.standing(), nobody.open_events()) == (b"v", {}, ())
