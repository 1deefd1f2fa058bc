"""What comes from above waits on disk until it is consumed."""

from pathlib import Path

import pytest

from gateway.records import ClockState, rfc3339
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import opened
from gateway.uplink import inbox
from gateway.uplink.inbox import Inbox


class _Unsure(FakeClock):
    """A clock that begins in 1970 and can be set."""

    day_zero = 1_795_000_000_000

    def __init__(self) -> None:
        super().__init__(wall_ms=3_600_000)
        self.worth: ClockState = "trusted"

    def state(self) -> ClockState:
        return self.worth

    def set_day(self, day: int) -> None:
        self._start += self.day_zero + day * 86_400_000 - self.wall_ms()


def test_messages_wait_in_order_over_restarts_and_once(tmp_path: Path) -> None:
    """Delivered twice it waits once; consumed it is gone; a restart forgets nothing."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock)
    box = Inbox(outbox, clock)
    put = box.letterbox("county")
    for payload in (b"one", b"two \xff", b"one", b"three"):
        put("", payload)
    box.done(box.waiting()[0])
    put("", b"four")
    outbox.close()
    again = Inbox(opened(tmp_path, clock), clock)
    assert [(letter.payload, letter.uplink) for letter in again.waiting()] == [
        (b"two \xff", "county"), (b"three", "county"), (b"four", "county"),
    ]  # fmt: skip


def test_a_full_inbox_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody consumes does not fill the card."""
    monkeypatch.setattr(inbox, "MOST", 2)
    clock = FakeClock()
    box = Inbox(opened(tmp_path, clock), clock)
    box.put("u", b"1")
    box.put("u", b"2")
    box.put("u", b"2")
    with pytest.raises(ValueError, match="2 messages wait"):
        box.put("u", b"3")


def test_the_bytes_are_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand of the largest messages would be more than a small card has to spare."""
    monkeypatch.setattr(inbox, "MOST_BYTES", 100)
    clock = FakeClock()
    box = Inbox(opened(tmp_path, clock), clock)
    box.put("u", b"1" * 60)
    with pytest.raises(ValueError, match="100 bytes wait"):
        box.put("u", b"2" * 60)
    box.done(box.waiting()[0])
    box.put("u", b"2" * 60)


def test_what_waits_is_told_and_goes_after_a_month(tmp_path: Path) -> None:
    """By a clock that is known: what came in 1970 counts from when the time was known."""
    clock = _Unsure()
    outbox = opened(tmp_path, clock)
    box = Inbox(outbox, clock)
    clock.worth = "untrusted"
    box.put("u", b"dark")
    clock.worth = "trusted"
    clock.set_day(0)
    box.put("u", b"light")
    clock.set_day(29)
    assert box.status() == {"waiting": 2, "bytes": 9, "oldest": rfc3339(clock.day_zero), "expired": 0}
    assert outbox.stats().inbox == 2
    clock.set_day(31)
    clock.worth = "untrusted"
    assert box.status()["waiting"] == 2
    clock.worth = "trusted"
    assert box.waiting() == []
    assert (box.status()["expired"], outbox.stats().inbox) == (2, 0)


def test_a_spoiled_message_holds_up_no_other(tmp_path: Path) -> None:
    """What cannot be read back is logged and forgotten."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock)
    outbox.set_note("inbox.000000000001.x", b"\xff")
    box = Inbox(outbox, clock)
    box.put("u", b"fine")
    assert [letter.payload for letter in box.waiting()] == [b"fine"]
    assert outbox.stats().inbox == 1
