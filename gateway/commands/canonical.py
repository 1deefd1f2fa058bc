"""RFC 8785 canonical JSON: the one sequence of bytes that a JSON value is signed as, and its strict reading. Pure.

It never repairs: a document that two readers could understand differently (a name twice, a number beyond a
double, half a surrogate pair, a constant that is no JSON) is refused.
"""

import json
import math
from typing import Any

_MOST_INTEGER = 2**53
_MOST_DEPTH = 32
# ECMAScript writes plain digits up to 21 of them, and down to six zeros after the point (RFC 8785, 3.2.2.3).
_PLAIN_UPTO, _PLAIN_FROM = 21, -6
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def canonical(value: Any) -> bytes:
    """The canonical bytes of a JSON value. Raises ValueError for what I-JSON (RFC 7493) cannot hold."""
    return _text(value).encode()


def read(data: bytes) -> Any:
    """A JSON document that has one meaning only. Raises ValueError with a sentence."""
    try:
        found = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested without end") from None
    if _deeper(found, _MOST_DEPTH):
        raise ValueError(f"it is nested more than {_MOST_DEPTH} levels deep")
    return found


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_deeper(one, levels - 1) for one in inner if isinstance(one, dict | list))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _string(value)
        case int():
            if abs(value) > _MOST_INTEGER:
                raise ValueError(f"the integer {value} is beyond 2^53")
            return str(value)
        case float():
            return number(value)
        case list():
            return "[" + ",".join(map(_text, value)) + "]"
        case dict():
            # By UTF-16 code units, not by code points: the same below the surrogates, not above (RFC 8785, 3.2.3).
            names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
            return "{" + ",".join(f"{_string(name)}:{_text(value[name])}" for name in names) + "}"
    raise ValueError(f"a {type(value).__name__} is no JSON value")


def _string(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("a text holds half a surrogate pair")
    return '"' + "".join(_ESCAPES.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def number(value: float) -> str:
    """A double as ECMAScript writes it: the shortest digits that read back to it. Raises ValueError for no number."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no JSON number")
    if value == 0:
        return "0"  # also minus zero
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, part = mantissa.partition(".")
    part = "" if part == "0" else part
    digits = (whole + part).lstrip("0")
    # The value is 0.DIGITS times ten to the power of `point`.
    point = len(whole) + int(exponent or 0) if whole != "0" else int(exponent or 0) - (len(part) - len(digits))
    digits = digits.rstrip("0")
    return ("-" if value < 0 else "") + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    if len(digits) <= point <= _PLAIN_UPTO:
        return digits + "0" * (point - len(digits))
    if 0 < point <= _PLAIN_UPTO:
        return f"{digits[:point]}.{digits[point:]}"
    if _PLAIN_FROM < point <= 0:
        return "0." + "0" * -point + digits
    exponent = point - 1
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{mantissa}e{'+' if exponent > 0 else '-'}{abs(exponent)}"
