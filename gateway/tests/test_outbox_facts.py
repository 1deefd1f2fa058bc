"""Notes, audit and commands: on disk before the call returns, and there after a restart."""

import hashlib
from pathlib import Path

from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import opened


def test_notes_are_committed_at_once(tmp_path: Path) -> None:
    """A note survives the death of the process right after; None forgets it; keys are found by their beginning."""
    outbox = opened(tmp_path, FakeClock())
    outbox.set_note("command/b0101", b"7")
    outbox.set_note("command/b0101", b"8")
    outbox.set_note("command%", b"x")
    outbox.set_note("bdseq/county", b"\x00")
    outbox._connection.close()  # type: ignore[union-attr]  # the process dies here
    again = opened(tmp_path, FakeClock())
    assert (again.note("command/b0101"), again.note("nothing")) == (b"8", None)
    assert again.notes("command/") == {"command/b0101": b"8"}
    again.set_note("command/b0101", None)
    assert again.note("command/b0101") is None


def test_the_audit_is_a_chain(tmp_path: Path) -> None:
    """Numbers from 1; each hash covers the one before and the body, also over a restart."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock)
    bodies = [b"entry %d" % number for number in range(43)]
    assert [outbox.append_audit(body) for body in bodies[:40]] == list(range(1, 41))
    outbox.close()
    again = opened(tmp_path, clock)
    for body in bodies[40:]:
        again.append_audit(body)
    before = b""
    found = list(again.audit())
    assert [entry.body for entry in found] == bodies
    for entry in found:
        before = hashlib.sha256(before + entry.body).digest()
        assert (entry.hash, entry.at) == (before, clock.wall_ms())
    assert [entry.n for entry in again.audit(42)] == [42, 43]


def test_commands_are_kept_until_forgotten(tmp_path: Path) -> None:
    """The last word on a command is kept; those put before a moment go."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock)
    outbox.put_command("one", b"accepted")
    outbox.put_command("one", b"done")
    clock.now += 10
    outbox.put_command("two", b"refused")
    assert outbox.commands() == [("one", b"done"), ("two", b"refused")]
    assert outbox.forget_commands(clock.wall_ms() - 5_000) == 1
    assert (outbox.command("one"), outbox.command("two")) == (None, b"refused")
