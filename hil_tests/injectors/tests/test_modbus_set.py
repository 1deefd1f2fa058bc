"""A test set that speaks Modbus, by its profile, over the real transport: frames and all, on a clock of its own."""

import struct
from typing import Any

import pytest

from gateway.bus.transport import Line
from gateway.bus.wire import Wire, crc
from gateway.errors import ConfigurationError
from gateway.profile import Profile
from hil_tests.hil.bench_file import InjectorTable
from hil_tests.injectors.injector import InstrumentTrouble
from hil_tests.injectors.modbus_set import ModbusSet

REGISTERS: list[dict[str, Any]] = [
    {"name": "amps", "kind": "holding", "address": 10, "type": "u16", "scale": 0.01, "access": "rw"},
    {"name": "residual", "kind": "holding", "address": 11, "type": "u16", "scale": 0.001, "access": "rw"},
    {"name": "output", "kind": "coil", "address": 3, "type": "bool", "access": "rw"},
    {"name": "flows", "kind": "discrete", "address": 4, "type": "bool"},
]
OWN_CLOCK = {"name": "trip_time", "kind": "input", "address": 20, "type": "u32", "scale": 0.001, "absent": 4294967295}


class PlayedSet:
    """See `gateway.bus.port.Port`: a set with registers, a breaker behind it, and a clock that asking moves."""

    port, timeout, sent, sent_at = "played", 0.3, b"", 0.0

    def __init__(self) -> None:
        self.now = 0.0
        self.words = {10: 0, 11: 0}
        self.on = self.deaf = False
        self.stubborn = False  # takes the word off and does not go off
        self.began = 0.0
        self.trips_after: float | None = None
        self.frame = b""
        self.closed = False

    def ask(self, request: bytes, length: int) -> bytes:
        self.now += 0.02
        self.frame = b"" if self.deaf else self._answer(request[:-2])
        return self.frame

    def read_on(self, count: int) -> bytes:
        return b""

    def tell(self, request: bytes, turnaround: float) -> None:
        raise AssertionError("nothing is broadcast to a test set")

    def quieten(self, rest: float = 0.0) -> None:
        """Nothing follows."""

    def listen(self, seconds: float) -> bytes:
        self.now += seconds
        return b""

    def close(self) -> None:
        self.closed = True

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def _answer(self, request: bytes) -> bytes:
        function, address, value = struct.unpack(">xBHH", request[:6])
        body = request[:2]
        match function:
            case 1 | 2:
                body += bytes((1, self.on if function == 1 else self._flows()))
            case 3:
                body += bytes((2,)) + self.words[address].to_bytes(2, "big")
            case 4:
                body += bytes((4,)) + self._trip_ms().to_bytes(4, "big")
            case 5:
                if value or not self.stubborn:
                    self.on, self.began = bool(value), self.now
                body = request
            case 16:
                self.words[address] = int.from_bytes(request[7:9], "big")
                body = request[:6]
        return body + crc(body)

    def _flows(self) -> bool:
        return self.on and (self.trips_after is None or self.now - self.began < self.trips_after)

    def _trip_ms(self) -> int:
        return 0xFFFFFFFF if self.trips_after is None or not self.on else round(self.trips_after * 1000)


def opened(played: PlayedSet, *more: dict[str, Any], **settings: Any) -> ModbusSet:
    profile = Profile.model_validate(
        {"profile": {"name": "set", "vendor": "X", "model": "T1"}, "register": [*REGISTERS, *more]}
    )
    table = InjectorTable(
        kind="modbus", circuits={"b1": 1}, amps_at_most=100, residual_at_most=0.5, reading_s=0.1, **settings
    )
    line = Line("injector", "played", Wire(9600), open_port=lambda *_: played)
    return ModbusSet(table, profile, line, lambda: played.now, played.sleep)


def test_it_sets_switches_and_rests() -> None:
    """In the units of the profile; off at rest and at the end."""
    played = PlayedSet()
    injector = opened(played)
    injector.apply("b1", amps=12.5)
    assert (played.words[10], played.on) == (1250, True)
    injector.rest("b1")
    assert not played.on
    injector.apply("b1", residual=0.03)
    injector.close()
    assert (played.words[11], played.on, played.closed) == (30, False, True)
    assert injector.describe()["maker"] == "X"


def test_a_trip_is_clocked_by_looking_or_by_its_own_clock() -> None:
    """By looking: within the stated interval. By its own clock: to its last digit."""
    for more, width in (((), 0.2), ((OWN_CLOCK,), 0.002)):
        played = PlayedSet()
        played.trips_after = 1.5
        found = opened(played, *more).trip_time("b1", quantity="amps", value=40.0, timeout_s=10.0)
        assert found.seconds is not None
        assert found.seconds - found.uncertainty_s <= 1.5 <= found.seconds + found.uncertainty_s
        assert found.uncertainty_s <= width
        assert not played.on


def test_a_breaker_that_holds_is_none() -> None:
    """Nothing opens within the time allowed."""
    played = PlayedSet()
    assert opened(played).trip_time("b1", quantity="amps", value=18.0, timeout_s=3.0).seconds is None
    assert not played.on


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [({"amps": 101.0}, "amps_at_most"), ({"volts": 230.0}, "volts_at_most"), ({"celsius": 20.0}, "celsius_at_most")],
)
def test_limits_hold_before_anything_is_sent(wanted: dict[str, float], sentence: str) -> None:
    """And what the set cannot give is said."""
    played = PlayedSet()
    injector = opened(played)
    before = played.now
    with pytest.raises(InstrumentTrouble, match=sentence):
        injector.apply("b1", **wanted)
    assert (played.on, played.now) == (False, before)
    with pytest.raises(InstrumentTrouble, match="no volts"):
        opened(PlayedSet(), volts_at_most=400.0).apply("b1", volts=230.0)


def test_silence_and_stubbornness_reach_the_person() -> None:
    """What cannot be switched off from here is to be switched off by hand."""
    played = PlayedSet()
    injector = opened(played)
    injector.apply("b1", amps=5.0)
    played.stubborn = True
    with pytest.raises(InstrumentTrouble, match="BY HAND NOW"):
        injector.rest("b1")
    played.deaf = True
    with pytest.raises(InstrumentTrouble, match="BY HAND NOW"):
        injector.apply("b1", amps=6.0)


def test_an_older_trip_time_is_not_taken_for_this_one() -> None:
    """A set that tells of trips by its clock alone, and still shows the last one."""
    played = PlayedSet()
    played.trips_after = 1.0
    only_clock = [one for one in REGISTERS if one["name"] != "flows"]
    profile = Profile.model_validate({"profile": {"name": "set"}, "register": [*only_clock, OWN_CLOCK]})
    line = Line("injector", "played", Wire(9600), open_port=lambda *_: played)
    table = InjectorTable(kind="modbus", circuits={"b1": 1}, amps_at_most=100)
    injector = ModbusSet(table, profile, line, lambda: played.now, played.sleep)
    played.on = True
    with pytest.raises(InstrumentTrouble, match="older trip time"):
        injector.trip_time("b1", quantity="amps", value=10.0, timeout_s=1.0)
    assert not played.on


def test_a_profile_without_an_output_is_no_test_set() -> None:
    """The sentence names what a set needs."""
    profile = Profile.model_validate({"profile": {"name": "meter"}, "register": REGISTERS[:1]})
    line = Line("injector", "played", Wire(9600), open_port=lambda *_: PlayedSet())
    with pytest.raises(ConfigurationError, match="describes no test set"):
        ModbusSet(InjectorTable(kind="modbus"), profile, line)
