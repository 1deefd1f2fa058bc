"""Every released schema opens in this release, and a stop at any statement leaves it before or after, never between."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from gateway import points
from gateway.errors import StoreError
from gateway.outbox.migrations import released, statements
from gateway.records import Gap, Message, Reading
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import RELEASED, Route, event, opened, reading

_ROUTES = (Route("county"), Route("town", acks=True, max_delay=0))
_STOPS = [
    (number, stop) for number, script in released() for stop in range(len(statements(script)) + 1)
]  # after each statement, and after the version's number


def _begin_with(folder: Path, schema: int) -> None:
    if schema:
        shutil.copy(RELEASED / f"{schema:04d}.db", folder / "outbox.db")


def test_every_released_schema_has_a_fixture() -> None:
    """All but the newest, which this release writes itself."""
    kept = [int(file.stem) for file in sorted(RELEASED.glob("*.db"))]
    assert kept == [number for number, _ in released()][:-1]


def test_what_the_first_release_wrote_is_all_there(tmp_path: Path) -> None:
    """Numbers, messages, open events and the epoch go on; what was unreadable stays announced."""
    _begin_with(tmp_path, 1)
    with sqlite3.connect(tmp_path / "outbox.db") as old:
        epoch = old.execute("SELECT value FROM meta").fetchone()[0]
    old.close()
    outbox = opened(tmp_path, FakeClock(), *_ROUTES)
    assert outbox.epoch == epoch
    found = outbox.stats()
    assert (found.accepted, found.dropped) == (28, 1)
    assert [kept.event for kept in outbox.open_events()] == [event("b")]
    message = outbox.message("county", 5)
    assert message is not None
    assert message.records == (reading(20), reading(21))
    for number in range(25, 28):
        outbox.put_reading(reading(number))
    gap, _, tail = outbox.next_messages("town", 9, 9)
    assert isinstance(gap.records[0], Gap)
    assert (gap.records[0].first, _numbers(tail)) == (23, list(range(24, 29)))


def _numbers(message: Message) -> list[int]:
    return [message.first + index for index, record in enumerate(message.records) if isinstance(record, Reading)]


@pytest.mark.parametrize(("number", "stop"), _STOPS)
def test_stopped_at_any_statement(tmp_path: Path, number: int, stop: int) -> None:
    """The version is the old one with the old tables, and the next start does all of the step."""
    _begin_with(tmp_path, number - 1)
    left = stop

    def hook(name: str) -> None:
        nonlocal left
        left -= name == "migrate"
        if left < 0:
            raise KeyboardInterrupt

    points.watch(hook)
    try:
        with pytest.raises(KeyboardInterrupt):
            opened(tmp_path, FakeClock(), *_ROUTES)
    finally:
        points.watch(None)
    with sqlite3.connect(tmp_path / "outbox.db") as found:
        assert found.execute("PRAGMA user_version").fetchone()[0] == number - 1
    found.close()
    outbox = opened(tmp_path, FakeClock(), *_ROUTES)
    assert outbox.repaired is None
    assert outbox.stats().accepted == (28 if number > 1 else 0)
    outbox.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    """An older program must not touch what it does not know, and says what to do."""
    opened(tmp_path, FakeClock()).close()
    with sqlite3.connect(tmp_path / "outbox.db") as other:
        other.execute("PRAGMA user_version=99")
        other.execute("CREATE TABLE of_tomorrow (x)")
    other.close()
    before = (tmp_path / "outbox.db").read_bytes()
    with pytest.raises(StoreError, match=r"newer gewu \(schema 99, this one knows 2\): install"):
        opened(tmp_path, FakeClock())
    assert (tmp_path / "outbox.db").read_bytes() == before
