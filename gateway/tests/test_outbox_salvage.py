"""A damaged outbox is kept, what can be read of it goes on, and what is missing is announced exactly."""

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from gateway.outbox import Outbox
from gateway.receiver.ledger import Ledger
from gateway.records import Event, Gap, Message, Reading
from gateway.store_events import KIND, StoreEvents
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import Route, event, opened, reading
from gateway.uplink import native

_ROUTE = Route(acks=True, max_delay=0)
_READINGS = 4000


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound outbox, to be copied and damaged."""
    folder = tmp_path_factory.mktemp("sound")
    _write(folder)
    return folder / "outbox.db"


def _write(folder: Path) -> None:
    """Some hundred pages: readings in groups, events, audit, a note; a part of it delivered."""
    outbox = opened(folder, FakeClock(), _ROUTE)
    dice = random.Random(7)
    for number in range(_READINGS):
        outbox.put_reading(reading(number, voltage=dice.random(), current=dice.random()))
        if number % 100 == 99:
            outbox.accept_event(event(f"e{number}"), "k")
            outbox.append_audit(b"entry %d" % number)
    outbox.set_note("command/b0101", b"7")
    sent = outbox.next_messages("county", 60, 6)
    outbox.acknowledge("county", outbox.epoch, sent[-1].seq)
    outbox.close()
    with sqlite3.connect(folder / "outbox.db") as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()


def _spoil(folder: Path, seed: int) -> None:
    """4 KiB of random bytes at a random place."""
    dice = random.Random(seed)
    with (folder / "outbox.db").open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(dice.randrange(0, size - 4096))
        file.write(dice.randbytes(4096))


def _everything(outbox: Outbox) -> list[Message]:
    found = []
    while made := outbox.next_messages("county", 100, 100):
        found += made
        outbox.acknowledge("county", outbox.epoch, made[-1].seq)
    return found


def _numbers(messages: list[Message]) -> set[int]:
    return {m.first + i for m in messages for i, r in enumerate(m.records) if isinstance(r, Reading)}


def _gaps(messages: list[Message]) -> list[Gap]:
    return [record for message in messages for record in message.records if isinstance(record, Gap)]


@pytest.mark.parametrize("seed", range(5))
def test_random_damage(sound: Path, tmp_path: Path, seed: int) -> None:
    """It opens; records that can be read come under their numbers; under the new epoch nothing is missing unsaid."""
    shutil.copy(sound, tmp_path)
    _spoil(tmp_path, seed)
    outbox = opened(tmp_path, FakeClock(), _ROUTE)
    messages = _everything(outbox)
    ledger = Ledger()
    for message in messages:
        ledger.accept("s/g", native.parse(*native.encode(message)))
    assert ledger.report()["lost"] == 0
    stats = outbox.stats()
    assert (stats.accepted, stats.queued) == (stats.delivered + stats.dropped, 0)
    assert outbox.stats().dropped < 1500  # of the 4,000: what one stretch of 4 KiB can hold, and its tree above it
    if outbox.repaired:
        assert (tmp_path / "outbox.db.damaged-1").exists()
        assert "records were taken over" in outbox.repaired
    outbox.close()


def test_an_unreadable_middle_is_announced_exactly(sound: Path, tmp_path: Path) -> None:
    """Numbers go on as they were; delivered ones and lost ones are gaps, each with its reason."""
    shutil.copy(sound, tmp_path)
    with sqlite3.connect(tmp_path / "outbox.db") as file:
        (lost,) = file.execute("SELECT first FROM block WHERE first > 2500 LIMIT 1").fetchone()
        (last,) = file.execute("SELECT last FROM block WHERE first = ?", (lost,)).fetchone()
        (epoch,) = file.execute("SELECT value FROM meta").fetchone()
        file.execute("DELETE FROM block WHERE first = ?", (lost,))
        file.execute("PRAGMA writable_schema=ON")
        file.execute("UPDATE sqlite_master SET rootpage = 9999 WHERE name = 'note'")
    file.close()
    clock = FakeClock()
    outbox = opened(tmp_path, clock, _ROUTE)
    assert outbox.epoch != epoch
    messages = _everything(outbox)
    gaps = {(gap.first, gap.last, gap.reason) for gap in _gaps(messages) if gap.stream == "readings"}
    delivered = min(_numbers(messages)) - 1
    assert delivered > 0
    assert gaps == {(1, delivered, "delivered in an earlier epoch"), (lost, last, "damaged")}
    assert _numbers(messages) == set(range(delivered + 1, _READINGS + 1)) - set(range(lost, last + 1))
    assert messages[0].seq == 1
    assert len(list(outbox.audit())) == 40
    outbox.put_reading(reading(1))
    (following,) = outbox.next_messages("county", 1, 1)
    assert following.first == _READINGS + 1


@pytest.mark.parametrize("pages", [range(1, 5), range(3, 12)], ids=["header and schema", "roots of the trees"])
def test_leaves_without_a_tree(sound: Path, tmp_path: Path, pages: range) -> None:
    """With the first pages gone, or those that lead to all others, nearly every record and audit entry still comes."""
    shutil.copy(sound, tmp_path)
    with (tmp_path / "outbox.db").open("r+b") as file:
        file.seek((pages.start - 1) * 1024)
        file.write(random.Random(1).randbytes(len(pages) * 1024))
    outbox = opened(tmp_path, FakeClock(), _ROUTE)
    assert outbox.repaired is not None
    messages = _everything(outbox)
    ledger = Ledger()
    for message in messages:
        ledger.accept("s/g", native.parse(*native.encode(message)))
    report = ledger.report()
    assert report["lost"] == 0
    assert len(_numbers(messages)) > 1500
    assert len([m for m in messages if isinstance(m.records[0], Event)]) >= 30
    assert len(list(outbox.audit())) >= 36


def test_no_database_at_all(tmp_path: Path) -> None:
    """Whatever lies there under that name is kept, and a new one begins."""
    (tmp_path / "outbox.db").write_bytes(b"no database" * 1000)
    outbox = opened(tmp_path, FakeClock(), _ROUTE)
    assert (tmp_path / "outbox.db.damaged-1").read_bytes() == b"no database" * 1000
    assert outbox.stats().accepted == 0


def test_the_damage_becomes_an_event(tmp_path: Path) -> None:
    """It is raised once, and cleared when the gateway next starts with a sound store."""
    (tmp_path / "outbox.db").write_bytes(b"no database" * 1000)
    outbox = opened(tmp_path, FakeClock(), _ROUTE)
    watching = StoreEvents(outbox, FakeClock())
    watching.look()
    watching.look()
    (told,) = _everything(outbox)
    assert isinstance(told.records[0], Event)
    assert (told.records[0].kind, told.records[0].values) == (KIND, {"what": outbox.repaired})
    outbox.close()
    again = opened(tmp_path, FakeClock(), _ROUTE)
    StoreEvents(again, FakeClock()).look()
    (cleared,) = _everything(again)
    assert isinstance(cleared.records[0], Event)
    assert cleared.records[0].cleared is not None
    assert again.open_events() == []


def test_a_schema_that_is_no_text(sound: Path, tmp_path: Path) -> None:
    """SQLite quotes a damaged schema in its errors, which are then no text: it starts all the same."""
    shutil.copy(sound, tmp_path)
    file = tmp_path / "outbox.db"
    content = file.read_bytes()
    assert b"tableblockblock" in content
    nonsense = content.replace(b"tableblockblock", b"table" + b"\xff" * 10)
    file.write_bytes(nonsense.replace(b"CREATE TABLE block", b"CREATE XXXXX block"))
    again = opened(tmp_path, FakeClock(), _ROUTE)
    assert again.repaired is not None
    assert (tmp_path / "outbox.db.damaged-1").exists()
    again.accept_event(event("after"), "k")
    assert "after" in {found.event.id for found in again.open_events()}
    again.close()


def test_an_open_event_that_cannot_be_read_keeps_nobody_from_starting(tmp_path: Path) -> None:
    """It is passed over; the others are there."""
    outbox = opened(tmp_path, FakeClock(), _ROUTE)
    outbox.accept_event(event("a"), "k")
    outbox.accept_event(event("b"), "k")
    outbox.close()
    with sqlite3.connect(tmp_path / "outbox.db") as file:
        file.execute("UPDATE open_event SET body = x'00ff' WHERE id = 'a'")
    file.close()
    again = opened(tmp_path, FakeClock(), _ROUTE)
    assert [found.event.id for found in again.open_events()] == ["b"]
    again.close()
