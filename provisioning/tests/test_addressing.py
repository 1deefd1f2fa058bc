"""Which board gets which address: judged as a whole, before any board is told anything. Carried out on real boards in
hil_tests/end_to_end/test_bus_address.py."""

from gateway.bus.discovery import Found
from provisioning.addressing import ABSENT, FOUND, AddressRow, Wish, judge


def board(serial: str, address: int = 247, commissioned: bool = False, number: str = "") -> Found:
    return Found(number or serial.encode().hex().ljust(12, "0")[:12], serial, address, commissioned)


def codes(rows: list[AddressRow]) -> list[tuple[str, str, str]]:
    return [(row.serial, row.state, (row.trouble or "").split(":")[0]) for row in rows]


def test_each_wish_of_a_board_that_is_there_may_be_carried_out() -> None:
    """Also where two change places, and where one has its address already."""
    found = [board("A", 1), board("B", 2), board("C"), board("D", 9, commissioned=True)]
    wishes = [Wish("a", "A", 2), Wish("b", "B", 1), Wish("c", "C", 3), Wish("d", "D", 9)]
    assert codes(judge(found, wishes)) == [(name, FOUND, "") for name in "ABCD"]


def test_what_would_put_two_on_one_address_is_refused() -> None:
    """With a board that stays, with a stranger; the others go on."""
    found = [board("A"), board("B"), board("C"), board("D", 4, commissioned=True)]
    wishes = [Wish("a", "A", 4), Wish("b", "B", 5), Wish("c", "C", 6)]
    rows = judge(found, wishes, others=(5,))
    assert codes(rows) == [
        ("A", FOUND, "address-taken"),
        ("B", FOUND, "address-taken"),
        ("C", FOUND, ""),
        ("D", FOUND, ""),
    ]
    assert "the board D" in (rows[0].trouble or "")
    assert "another kind" in (rows[1].trouble or "")


def test_unknown_doubled_and_commissioned_boards_are_named() -> None:
    """Each with its code; a board that nobody wished anything of keeps what it has."""
    found = [board("A"), board("T", number="01"), board("T", number="02"), board("X"), board("D", 9, commissioned=True)]
    wishes = [Wish("a", "A", 1), Wish("t", "T", 2), Wish("n", "N", 3), Wish("d", "D", 4)]
    assert codes(judge(found, wishes)) == [
        ("A", FOUND, ""),
        ("T", FOUND, "serial-twice"),
        ("N", ABSENT, "not-on-bus"),
        ("D", FOUND, "commissioned-already"),
        ("X", FOUND, "unknown-serial"),
    ]
    # Without wishes it is a list of who is there; only twins are a trouble.
    assert [row.trouble is None for row in judge(found, [])] == [True, False, False, True, True]
