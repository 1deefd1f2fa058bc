"""What comes from above waits on disk until it is consumed."""

from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import opened
from gateway.uplink import inbox
from gateway.uplink.inbox import Inbox


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


def test_a_spoiled_message_is_named(tmp_path: Path) -> None:
    """What cannot be read back is an error with its key, not a crash."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock)
    outbox.set_note("inbox.000000000001.x", b"\xff")
    with pytest.raises(StoreError, match="000000000001"):
        Inbox(outbox, clock).waiting()
