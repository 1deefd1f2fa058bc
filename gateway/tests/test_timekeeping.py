"""Which writes set the clocks of a bus, and what a broadcast must never touch."""

from gateway.bus.timekeeping import ClockWrite, Timekeeper, clock_of, clock_writes
from gateway.profile import Profile, load

BREAKER, SENSOR = load("gewu-breaker"), load("gewu-sensor")


def meter(*rows: dict[str, object]) -> Profile:
    return Profile.model_validate({"profile": {"name": "meter"}, "register": list(rows)})


def clock(address: int, **more: object) -> dict[str, object]:
    return {"name": "clock", "kind": "holding", "address": address, "type": "u32", "access": "rw"} | more


def addresses(*profiles: Profile) -> list[tuple[int | None, int]]:
    return [(write.device, write.register.address) for write in clock_writes(profiles)]


def test_one_broadcast_sets_all_clocks_at_one_address() -> None:
    """A bus of breakers: one frame for all of them."""
    assert addresses(BREAKER, BREAKER, BREAKER) == [(None, 11)]


def test_two_kinds_of_boards_take_two_broadcasts() -> None:
    """Each one's range would tear the other's clock apart, which a board refuses."""
    assert addresses(BREAKER, SENSOR) == [(None, 11), (None, 10)]


def test_nothing_is_broadcast_that_a_stranger_could_take_for_a_setting() -> None:
    """With a device without a clock on the bus, or one that would take the range as other registers: each alone."""
    assert addresses(BREAKER, meter(), SENSOR) == [(0, 11), (2, 10)]
    other = meter(clock(40), {"name": "limit", "kind": "holding", "address": 11, "type": "u16", "access": "rw"})
    assert addresses(BREAKER, BREAKER, other) == [(0, 11), (1, 11), (2, 40)]
    assert clock_writes([BREAKER, BREAKER], broadcast=False)[0].device == 0


def test_only_whole_seconds_in_a_writable_register_are_a_clock() -> None:
    """Other registers of that name are left alone."""
    assert clock_of(meter(clock(4))) is not None
    assert clock_of(meter(clock(4, access="r"))) is None
    assert clock_of(meter(clock(4, scale=0.001))) is None
    assert clock_of(meter(clock(4, type="u16"))) is None
    assert clock_of(meter()) is None


def test_the_nearest_second_is_written() -> None:
    """The high word first, as the profile says."""
    write = ClockWrite(None, next(r for r in BREAKER.registers if r.name == "clock"))
    assert write.words(1_795_000_000_499) == [1_795_000_000 >> 16, 1_795_000_000 & 0xFFFF]
    assert write.words(1_795_000_000_500)[1] == 1_795_000_001 & 0xFFFF


def test_once_a_minute_and_one_write_at_a_time() -> None:
    """First when the devices have been met, never by a clock that may be wrong."""
    keeper = Timekeeper([BREAKER, SENSOR], 100.0)
    assert keeper.next(104.9, "trusted") is None
    assert keeper.next(105.0, "untrusted") is None
    writes = [keeper.next(200.0, "trusted") for _ in range(3)]
    assert [write and write.register.address for write in writes] == [11, 10, None]
    assert keeper.next(259.9, "trusted") is None
    assert keeper.next(260.0, "trusted") is not None


def test_devices_are_asked_while_the_time_is_not_known() -> None:
    """Once a minute, one read at a time, and nobody who has no clock or gives it away only."""
    keeper = Timekeeper([BREAKER, meter(), SENSOR, meter(clock(3, access="w"))], 100.0)
    assert keeper.question(104.9, "untrusted") is None
    asked = [keeper.question(105.0, "untrusted") for _ in range(3)]
    assert [one and (one[0], one[1].address) for one in asked] == [(0, 11), (2, 10), None]
    assert keeper.question(164.9, "corrected") is None
    assert keeper.question(165.0, "corrected") is not None
    assert keeper.question(165.0, "trusted") is None
    assert keeper.question(165.1, "untrusted") is None
