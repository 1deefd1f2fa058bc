"""RFC 8785: the numbers of its appendix B, its examples, and what has no canonical form."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.commands.canonical import canonical, number, read

# RFC 8785, appendix B: IEEE 754 bits and their text.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_numbers_of_the_appendix(bits: str, text: str) -> None:
    """As ECMAScript writes them."""
    assert number(struct.unpack(">d", bytes.fromhex(bits))[0]) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_reads_back(value: float) -> None:
    """Shortest digits lose nothing, and the same number always has the same text."""
    assert float(number(value)) == value
    assert number(float(number(value))) == number(value)


def test_the_examples_of_the_text() -> None:
    """Section 3.2.2 (escapes, literals, numbers) and 3.2.3 (names by UTF-16 code units)."""
    given = read(
        rb'{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        rb' "string": "\u20ac$\u000F\u000aA\u0027\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}'
    )
    wanted = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical(given) == wanted.encode()
    names = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}
    assert list(read(canonical(names)).values()) == [2, 4, 6, 7, 1, 5, 3]


@pytest.mark.parametrize(
    "data",
    [b'{"a":1,"a":1}', b"NaN", b"[Infinity]", b"\xff", b"[" * 100_000, b"[" * 33 + b"]" * 33, b"{", b'{"a":1}x'],
)
def test_what_two_readers_could_take_differently_is_not_read(data: bytes) -> None:
    """A name twice, constants that are no JSON, endless depth."""
    with pytest.raises(ValueError):
        read(data)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 2**53 + 1, "\ud800", {"\udc00": 1}, b"x", [1e400]])
def test_what_has_no_canonical_form(value: Any) -> None:
    """Half a surrogate pair, an integer that a double cannot hold."""
    with pytest.raises(ValueError):
        canonical(value)
