"""Stills: bounded, kept for their time, deleted with proof, and never without a row for who took one."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gateway.camera.evidence import EvidenceFull, EvidenceStore
from gateway.camera.still import MOST_BYTES, MOST_SIDE, encoded
from gateway.errors import GewuError, StoreError
from gateway.records import ClockState
from gateway.tests.fake_clock import FakeClock

DAY_MS = 86_400_000
START = 1_795_000_000_000


class Days(FakeClock):
    """A clock in days since START; its wall time is `lost` milliseconds behind, and if it is, nobody believes it."""

    def __init__(self) -> None:
        super().__init__(START)
        self.day = 0.0
        self.lost = 0

    def wall_ms(self) -> int:
        return START + round(self.day * DAY_MS) - self.lost

    def mono_ms(self) -> int:
        return round(self.day * DAY_MS)

    def state(self) -> ClockState:
        return "untrusted" if self.lost else "trusted"


@pytest.fixture
def days() -> Days:
    return Days()


@pytest.fixture
def store(tmp_path: Path, days: Days) -> EvidenceStore:
    return EvidenceStore(tmp_path, 30 * 86400.0, 100_000, days)


def test_a_still_is_bounded_and_says_nothing_of_its_camera() -> None:
    """Even pure noise of 12 megapixels; no EXIF."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (3000, 4000, 3), dtype=np.uint8))
    content = encoded(noise)
    assert len(content) <= MOST_BYTES
    with Image.open(BytesIO(content)) as still:
        assert max(still.size) == MOST_SIDE
        assert not still.getexif()


def test_kept_for_its_time_then_deleted_with_a_row(store: EvidenceStore, days: Days) -> None:
    """Not a day before; the row names the still and its hash."""
    kept = store.save("gate-1-at.jpg", b"picture")
    assert kept.kept_until == START + 30 * DAY_MS
    days.day = 29.9
    assert store.expire() == 0
    assert (store.folder / kept.name).read_bytes() == b"picture"
    days.day = 30.1
    assert store.expire() == 1
    assert not store.stills()
    (row,) = store.register.rows()
    assert (row["what"], row["name"], row["sha256"]) == ("deleted", kept.name, kept.sha256)


def test_a_full_share_takes_no_more_and_deletes_nothing(store: EvidenceStore) -> None:
    """What is there may not go before its time."""
    first = store.save("a.jpg", bytes(60_000))
    with pytest.raises(EvidenceFull, match=r"vision\.max_bytes"):
        store.save("b.jpg", bytes(60_000))
    assert [path.name for path, _ in store.stills()] == [first.name]


def test_a_disk_that_refuses_leaves_nothing_behind(store: EvidenceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is a sentence; no half still."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.camera.evidence.os.fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        store.save("a.jpg", b"x")
    assert list(store.folder.iterdir()) == []


def test_who_took_a_still_stands_in_the_register(store: EvidenceStore) -> None:
    """With the reason, before the picture leaves; what is not there cannot be taken, nor what lies elsewhere."""
    kept = store.save("a.jpg", b"picture")
    assert store.take(kept.name, "Li", "case 7") == b"picture"
    (row,) = store.register.rows()
    assert (row["what"], row["who"], row["why"]) == ("taken", "Li", "case 7")
    for name in ("none.jpg", "../lock", kept.name + "x"):
        with pytest.raises(GewuError, match="There is no still"):
            store.take(name, "Li", "case 7")


@pytest.mark.parametrize("row", [0, 1])
def test_an_altered_or_missing_row_shows(store: EvidenceStore, row: int) -> None:
    """The rows are chained; only the last of them could go unseen, and it names the last deletion."""
    kept = store.save("a.jpg", b"picture")
    for _ in range(3):
        store.take(kept.name, "Li", "case 7")
    path = store.folder / "register.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line.replace("Li", "Wu") if number == row else line for number, line in enumerate(lines)))
    with pytest.raises(GewuError, match="was altered"):
        store.register.rows()
    path.write_text("".join(lines[:row] + lines[row + 1 :]))
    with pytest.raises(GewuError, match="was altered"):
        store.register.rows()


def test_on_a_full_disk_the_oldest_give_way_with_a_row(store: EvidenceStore, days: Days) -> None:
    """As many as are wanted and no more; each row names the still's own hash, also when the first row has no room."""
    kept = []
    for day in range(4):
        days.day = day
        kept.append(store.save(f"gate-{day}-at.jpg", b"p" * 1000))
    assert store.give_way(1500) == 2000
    assert [path.name for path, _ in store.stills()] == [one.name for one in kept[2:]]
    rows = store.register.rows()
    assert [(row["name"], row["sha256"]) for row in rows] == [(one.name, one.sha256) for one in kept[:2]]
    assert {row["why"] for row in rows} == {"the disk was full"}
    (store.folder / "register.jsonl").unlink()
    (store.folder / "register.jsonl").mkdir()
    assert store.give_way(10**9) == 2000
    assert store.give_way(10**9) == 0


def test_what_was_kept_before_the_time_was_known_stays_its_full_time(store: EvidenceStore, days: Days) -> None:
    """A machine that woke in 1970: the still is not deleted the moment the time is known, and the event learns it."""
    days.lost = START
    kept = store.save("gate-1-at.jpg", b"picture")
    assert kept.kept_until == 30 * DAY_MS
    assert store.stills() == [(store.folder / kept.name, None)]
    assert store.dated((kept,)) == (kept,)
    days.day, days.lost = 2.0, 0
    (dated,) = store.dated((kept,))
    assert (dated.kept_until, dated.name) == (START + 30 * DAY_MS, kept.name)
    days.day = 29.9
    assert store.expire() == 0
    days.day = 30.1
    assert store.expire() == 1
    store.expire()
    assert json.loads((store.folder / "undated.json").read_text()) == {}


def test_of_an_earlier_boot_the_time_begins_anew(store: EvidenceStore, days: Days) -> None:
    """Nobody knows how long that boot was ago: rather kept for too long."""
    days.lost = 400 * DAY_MS
    store.save("gate-1-at.jpg", b"picture")
    days.boot, days.day, days.lost = "boot-2", 3.0, 0
    after_it = EvidenceStore(store.data_dir, store.keep, store.most, days)
    assert after_it.expire() == 0
    days.day = 32.9
    assert after_it.expire() == 0
    days.day = 33.1
    assert after_it.expire() == 1


def test_a_clock_that_nobody_believes_deletes_nothing(store: EvidenceStore, days: Days) -> None:
    """One that is years ahead would end every still's time."""
    kept = store.save("gate-1-at.jpg", b"picture")
    days.lost = -4000 * DAY_MS
    assert store.expire() == 0
    assert (store.folder / kept.name).is_file()


def test_a_month_in_the_dark_is_a_month(store: EvidenceStore, days: Days) -> None:
    """However the wall clock jumps meanwhile, what this boot kept goes when its time is over."""
    days.lost = START
    kept = store.save("gate-1-at.jpg", b"picture")
    days.day, days.lost = 29.9, -4000 * DAY_MS
    assert store.expire() == 0
    days.day = 30.1
    assert store.expire() == 1
    assert [row["name"] for row in store.register.rows()] == [kept.name]


def test_a_broken_list_deletes_nothing_and_says_so(store: EvidenceStore, days: Days) -> None:
    """Rather a still for too long than one too few; what is on a full disk gives way all the same."""
    kept = store.save("gate-1-at.jpg", b"picture")
    (store.folder / "undated.json").write_text("{")
    days.day = 31
    with pytest.raises(StoreError, match="no still is deleted"):
        store.expire()
    assert store.dated((kept,)) == (kept,)
    assert store.give_way(1) == 7


def test_of_known_and_unknown_the_first_to_go_goes_first(store: EvidenceStore, days: Days) -> None:
    """By the true ends of their times, not by the names."""
    first = store.save("gate-1-at.jpg", b"first")
    days.day, days.lost = 0.5, START
    second = store.save("gate-2-at.jpg", b"second")
    assert [path.name for path, _ in store.stills()] == [first.name, second.name]
    days.day, days.lost = 1.0, 0
    store.dated(())
    assert [path.name for path, _ in store.stills()] == [first.name, second.name]
