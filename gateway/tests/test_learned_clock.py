"""A machine without the time: whom it believes, what it then says, and what comes of its records."""

from pathlib import Path

import pytest

from gateway.learned_clock import GRACE_S, LearnedClock, of_machine
from gateway.outbox import Outbox
from gateway.records import ClockState, Correction, Reading
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import Route

NOW = 1_795_000_000_000  # the true time when the tests begin, at monotonic 100 s
_TRUE_ZERO = NOW - 100_000


class _Dark(FakeClock):
    """A machine that began in 1970."""

    def __init__(self, worth: ClockState = "untrusted") -> None:
        super().__init__(wall_ms=0)
        self.worth = worth

    def state(self) -> ClockState:
        return self.worth

    def set(self, wall_ms: int) -> None:
        self._start += wall_ms - self.wall_ms()
        self.worth = "trusted"


def learned(machine: FakeClock, devices: int = 0, floor: int = NOW - 86_400_000) -> LearnedClock:
    return LearnedClock(machine, floor, devices, grace=0.0)


def true(machine: FakeClock) -> int:
    return _TRUE_ZERO + machine.mono_ms()


def hear(clock: LearnedClock, machine: FakeClock, **seconds_off: float) -> None:
    """Each device says the true time, and so many seconds more."""
    for name, off in seconds_off.items():
        clock.device_says(name, int(true(machine) / 1000 + off), machine.mono_ms())


@pytest.mark.parametrize(
    ("configured", "off", "believed"),
    [
        (1, {"a": 0}, True),
        (3, {"a": 0}, False),
        (3, {"a": 0, "b": 3}, True),
        (3, {"a": 0, "b": 3, "c": 900}, True),
        (3, {"a": 0, "b": 900}, False),
        (4, {"a": 0, "b": 2, "c": 900, "d": 902}, False),
        (5, {"a": 0, "b": 2, "c": 1, "d": -(10**8), "e": 10**9}, True),
        (2, {"a": -90_000, "b": -90_000}, False),
        (2, {"a": 4e8, "b": 4e8}, False),
    ],
    ids=["the only one", "one of three", "two", "two against one", "one against one", "two against two",
         "absurd ones", "before the newest record", "in twelve years"],
)  # fmt: skip
def test_most_devices_must_agree(configured: int, off: dict[str, float], believed: bool) -> None:
    """More than half of the clocks that run, and two of them where there are two; none outside what can be."""
    machine = _Dark()
    clock = learned(machine, configured)
    hear(clock, machine, **off)
    assert (clock.state(), clock.source()) == (("corrected", "devices") if believed else ("untrusted", None))
    assert (abs(clock.wall_ms() - true(machine)) <= 3500) is believed


def test_clocks_that_were_never_set_and_old_words_do_not_count() -> None:
    """A board that has restarted shows 0; what a board said five minutes ago, and no more since, is nothing."""
    machine = _Dark()
    clock = learned(machine, 3)
    clock.device_says("a", 0, machine.mono_ms())
    hear(clock, machine, b=0)
    machine.now += 300
    hear(clock, machine, c=0)
    assert clock.state() == "untrusted"
    hear(clock, machine, b=0)
    assert clock.state() == "corrected"


def test_a_time_server_gets_its_time_first() -> None:
    """For two minutes only the machine's own clock counts, and whenever that is right, it is what counts."""
    machine = _Dark()
    clock = LearnedClock(machine, devices=1)
    hear(clock, machine, a=5)
    assert (clock.state(), clock.wall_ms()) == ("untrusted", machine.wall_ms())
    machine.now += GRACE_S
    assert clock.state() == "corrected"
    assert of_machine(clock) is of_machine(machine) is machine
    machine.set(true(machine))
    assert (clock.state(), clock.source(), clock.wall_ms()) == ("trusted", "machine", true(machine))
    hear(clock, machine, a=5)
    machine.worth = "untrusted"
    assert clock.state() == "untrusted", "what was learned before the machine knew better is forgotten"


def test_a_word_from_above_is_bounded_by_its_round_trip() -> None:
    """It was written between our message and now; above the devices' word, and a shorter round trip says more."""
    machine = _Dark()
    clock = learned(machine, 1)
    clock.uplink_says(true(machine), machine.mono_ms() - 10_001, machine.mono_ms())
    assert clock.state() == "untrusted"
    hear(clock, machine, a=7)
    clock.uplink_says(true(machine), machine.mono_ms() - 6000, machine.mono_ms())
    assert (clock.source(), clock.wall_ms() - true(machine)) == ("uplink", 3000)
    machine.now += 60
    clock.uplink_says(true(machine) - 2500, machine.mono_ms() - 5000, machine.mono_ms())
    assert clock.wall_ms() - true(machine) == 3000, "hardly better: the clock is not moved to and fro"
    clock.uplink_says(true(machine), machine.mono_ms() - 200, machine.mono_ms())
    assert clock.wall_ms() - true(machine) == 100
    hear(clock, machine, a=7)
    clock.uplink_says(1_000_000, machine.mono_ms() - 100, machine.mono_ms())
    assert clock.wall_ms() - true(machine) == 100, "1970 is no time, from nobody"
    machine.now += 30_000
    clock.uplink_says(true(machine), machine.mono_ms() - 1000, machine.mono_ms())
    assert clock.wall_ms() - true(machine) == 500, "after hours our own clock has strayed further"


def test_records_before_are_corrected_and_later_ones_dated(tmp_path: Path) -> None:
    """As by a time server: what was sent is told about, what follows carries the learned time and says so."""
    machine = _Dark()
    clock = learned(machine, 1)
    outbox = Outbox(tmp_path, clock, [Route(max_delay=0)])

    def put() -> None:
        at, mono, worth = clock.wall_ms(), clock.mono_ms(), clock.state()
        outbox.put_reading(Reading(device="a", at=at, mono=mono, clock=worth, values={}))
        outbox.flush()

    put()
    (sent,) = outbox.next_messages("county", 5, 5)
    machine.now += 60
    hear(clock, machine, a=0.5)
    outbox.flush()
    put()
    records = [record for message in outbox.next_messages("county", 5, 5) for record in message.records]
    (told,) = [record for record in records if isinstance(record, Correction)]
    (later,) = [record for record in records if isinstance(record, Reading)]
    (before,) = sent.records
    assert isinstance(before, Reading)
    assert abs(before.at + told.offset_ms - NOW) <= 1000
    assert (later.clock, abs(later.at - true(machine)) <= 1000) == ("corrected", True)


def test_what_the_outbox_holds_is_over(tmp_path: Path) -> None:
    """Over a restart: the newest record of a right clock, or the last time that it was seen right; not what an
    unset clock wrote."""
    machine = _Dark("trusted")
    machine.set(NOW)
    outbox = Outbox(tmp_path, machine, [])
    outbox.flush()
    outbox.put_reading(Reading(device="a", at=NOW + 5000, mono=0, clock="trusted", values={}))
    outbox.close()
    machine.boot, machine.worth = "boot-2", "untrusted"
    outbox = Outbox(tmp_path, machine, [])
    outbox.put_reading(Reading(device="a", at=NOW * 2, mono=0, clock="untrusted", values={}))
    outbox.commit()
    assert outbox.latest_known() == NOW + 5000
    outbox.close()
