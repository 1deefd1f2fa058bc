"""The simulated disk finds what it is there to find: promises that hold on it are broken by what breaks them."""

import random
import sqlite3
from pathlib import Path

import pytest

from hil_tests.faults import power_cuts
from hil_tests.faults.disk import Change, Disk
from hil_tests.faults.power import WORLDS, Cutter, moments
from hil_tests.faults.sqlite import connecting


@pytest.fixture
def disk() -> Disk:
    return Disk()


def test_a_cut_leaves_what_was_synced_and_a_part_of_the_rest(tmp_path: Path) -> None:
    """Everything, nothing or some of what was written after the last sync; a sector is whole."""
    old, new = bytes([1]) * 2048, bytes([2]) * 2048
    changes = [Change("write", "f", 0, old), Change("sync", "f"), Change("write", "f", 0, new)]
    found: dict[str, bytes] = {}
    for world in WORLDS:
        cutter = Cutter(changes)
        cutter.forward(3)
        cutter.lay_out(tmp_path, world, random.Random(11))
        found[world] = (tmp_path / "f").read_bytes()
    assert (found["written"], found["dropped"]) == (new, old)
    seen = set()
    for seed in range(50):
        cutter = Cutter(changes)
        cutter.forward(3)
        cutter.lay_out(tmp_path, "torn", random.Random(seed))
        sectors = [(tmp_path / "f").read_bytes()[at : at + 512] for at in range(0, 2048, 512)]
        assert all(len(set(sector)) == 1 for sector in sectors)
        seen.add(bytes(sector[0] for sector in sectors))
    assert len(seen) > 4


def test_every_moment_or_some() -> None:
    """Before the first change and after the last are moments too; a part of them comes in order."""
    changes = [Change("sync", "f")] * 9
    assert list(moments(changes, None, random.Random(1))) == list(range(10))
    some = list(moments(changes, 4, random.Random(1)))
    assert some == sorted(some)
    assert len(some) == 4


@pytest.mark.integration
def test_syncs_that_do_nothing_are_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a disk that lies about its syncs, power cuts break promises, and the trial says so."""
    monkeypatch.setattr("hil_tests.faults.power._Platter.apply", lambda self, change: self.pending.append(change))
    monkeypatch.setattr("hil_tests.faults.power._apply", _apply_but_syncs)
    ledger = power_cuts.cut_everywhere(tmp_path, 1, most=6)
    assert ledger.lost > 0
    assert any("was damaged" in trouble or "not there" in trouble for trouble in ledger.troubles)


def _apply_but_syncs(held: bytearray, change: Change) -> None:
    if change.kind == "truncate":
        del held[change.offset :]
    elif change.kind == "write":
        held.extend(bytes(max(0, change.offset - len(held))))
        held[change.offset : change.offset + len(change.data)] = change.data


@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        ("full", "write", sqlite3.SQLITE_FULL),
        ("io", "sync", sqlite3.SQLITE_IOERR),
        ("readonly", "write", sqlite3.SQLITE_READONLY),
    ],
)
def test_failures_come_as_sqlite_says_them(tmp_path: Path, disk: Disk, failure: str, kind: str, code: int) -> None:
    """The code is that of SQLite; once the disk is sound, the same connection works."""
    connection = connecting(disk)(tmp_path / "x.db")
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (a)")
    disk.fail = lambda asked, _: failure if asked == kind else None  # type: ignore[assignment,return-value]
    with pytest.raises(sqlite3.Error) as failed:
        connection.execute("INSERT INTO t VALUES (1)")
    assert failed.value.sqlite_errorcode & 0xFF == code
    disk.fail = None
    connection.execute("INSERT INTO t VALUES (2)")
    found = [row[0] for row in connection.execute("SELECT a FROM t")]
    assert found[-1] == 2
    connection.close()
    disk.close()
