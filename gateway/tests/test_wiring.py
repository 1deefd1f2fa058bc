"""What a line's silence and answers mean; on virtual copper in hil_tests/end_to_end/test_bus_wiring.py."""

from gateway.bus.wiring import Asked, Observed, judge


def whats(seen: Observed, wanted: tuple[int, ...] = ()) -> list[str]:
    return [one.what for one in judge(seen, wanted)]


def good(*addresses: int) -> list[Asked]:
    return [Asked(address, good=12) for address in addresses]


def test_a_good_line_has_no_findings() -> None:
    """One answer lost of many is none; nor is a device that nobody expects."""
    many = [*good(*range(1, 20)), Asked(20, good=11, silent=1)]
    assert whats(Observed(units=many)) == []
    assert whats(Observed(strays=2, units=good(1, 2)), (1, 2)) == []


def test_breaks_alone_are_a_swapped_adapter() -> None:
    """Whatever else is seen then is a consequence."""
    assert whats(Observed(strays=9, units=[Asked(1, breaks=1), Asked(2, breaks=1)])) == [
        "A and B are swapped at this adapter"
    ]


def test_silence_that_speaks() -> None:
    """Bytes are missing bias, and explain damage; whole frames are another master."""
    damaged = [Asked(1, good=9, damaged=3), Asked(2, good=10, silent=2)]
    assert whats(Observed(strays=30, units=damaged)) == ["no bias on the line"]
    assert whats(Observed(strays=30, frames=2, units=good(1))) == ["another master"]
    assert whats(Observed(strays=30, units=[Asked(1, silent=3)]), (1,)) == ["no bias on the line"]


def test_damage_everywhere_is_the_line_and_at_one_device_its_branch() -> None:
    """A doubled address explains itself."""
    damaged = [Asked(1, good=9, damaged=3), Asked(2, good=10, damaged=2), Asked(3, good=12)]
    assert whats(Observed(units=damaged)) == ["reflections or disturbance: termination"]
    one = [*good(1, 2), Asked(3, good=8, damaged=4)]
    assert whats(Observed(units=one)) == ["the way to address 3 is bad"]
    assert whats(Observed(units=one, shared={3: ["SN-1", "SN-2"]})) == ["2 boards share address 3"]


def test_who_is_silent_is_looked_for_elsewhere() -> None:
    """One of them, all of them, nobody at any speed; an adapter that hears itself."""
    seen = Observed(units=[*good(1), Asked(2, silent=3), Asked(3, silent=3)], elsewhere={2: "19200 8E1"})
    assert whats(seen, (1, 2, 3)) == ["address 2 has another speed or parity", "address 3 is silent"]
    silent = [Asked(1, silent=3), Asked(2, silent=3)]
    found = judge(Observed(units=silent, elsewhere={1: "19200 8E1"}), (1, 2))
    assert [one.what for one in found] == ["the line has another speed or parity"]
    assert "19200 8E1" in found[0].do
    assert whats(Observed(units=silent), (1, 2)) == ["nobody answers"]
    assert whats(Observed()) == ["nobody answers"]
    assert whats(Observed(units=[Asked(1, echoes=1)]))[0] == "the adapter hears itself"
