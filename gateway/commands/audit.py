"""The audit's proof: each row's hash covers the row before, so one that was altered or taken out is found. Pure.

A chain alone cannot show that its end was cut off: count and last hash are compared with those noted elsewhere
(the health message carries both to the receiver).
"""

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

Row = tuple[int, int, bytes, bytes]
"""Number (from 1), Unix ms, body, hash."""


class Verified(NamedTuple):
    """`broken` is the number of the first row that does not fit, None when all do; `head` the last good hash."""

    rows: int
    head: str
    broken: int | None
    why: str

    def document(self) -> dict[str, Any]:
        """The JSON of `gewu audit verify`."""
        return {"ok": self.broken is None, "rows": self.rows, "head": self.head, "broken": self.broken, "why": self.why}


def chained(previous: bytes, body: bytes) -> bytes:
    """The hash of a row: SHA-256 over the hash before it (none for the first) and its body."""
    return hashlib.sha256(previous + body).digest()


def verify(rows: Iterable[Row], least: int = 0) -> Verified:
    """Walk the chain; `least` is a number of rows that is known to have been there."""
    previous, count = b"", 0
    for number, _, body, found in rows:
        if number != count + 1:
            return Verified(count, previous.hex(), count + 1, f"row {count + 1} is missing")
        # Whoever alters a row with a database's own tools may leave a text where bytes were.
        if not isinstance(body, bytes) or chained(previous, body) != found:
            return Verified(count, previous.hex(), number, f"row {number} is not what was written{_said(body)}")
        previous, count = found, number
    if count < least:
        return Verified(count, previous.hex(), count + 1, f"it ends after {count} rows, and there were {least}")
    return Verified(count, previous.hex(), None, "")


def _said(body: object) -> str:
    try:
        found = msgspec.json.decode(body if isinstance(body, bytes) else str(body))
        return f" (it says: {found['at']}, {found['what']})"
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError):
        return ""
