"""When a camera is looked through: spans of local time such as "22:00-06:00". Pure."""

import re
from collections.abc import Sequence

_SPAN = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_DAY = 24 * 60


def minutes(span: str) -> tuple[int, int]:
    """First and last minute of the day of "HH:MM-HH:MM". Raises ValueError with a sentence's second half."""
    match = _SPAN.fullmatch(span)
    if match:
        h1, m1, h2, m2 = map(int, match.groups())
        first, last = h1 * 60 + m1, h2 * 60 + m2
        if m1 < 60 and m2 < 60 and first < _DAY and last <= _DAY and first != last:
            return first, last
    raise ValueError('a span of the day is written like "07:00-22:30"; one over midnight like "22:00-06:00"')


def on(spans: Sequence[str], minute: int) -> bool:
    """Whether the camera is looked through at `minute` of the local day; always when there are no spans."""
    return not spans or any(_within(*minutes(span), minute) for span in spans)


def _within(first: int, last: int, minute: int) -> bool:
    return first <= minute < last if first < last else minute >= first or minute < last
