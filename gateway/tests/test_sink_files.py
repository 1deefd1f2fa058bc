"""Files by day: whole lines only, none twice, none lost, whatever happened to the file before."""

import csv
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import TryAgain
from gateway.records import Correction, Gap, Message, rfc3339
from gateway.sinks.files import DayFiles
from gateway.sinks.lines import COLUMNS, Form, header, lines, place_of
from gateway.tests.fake_clock import FakeClock
from gateway.tests.present_samples import NOW, event, message, reading

DAY_MS = 86_400_000


def utc_day(ms: int) -> date:
    return datetime.fromtimestamp(ms / 1000, tz=UTC).date()


def opened(folder: Path, form: Form = "jsonl", keep_days: int = 30, clock: FakeClock | None = None) -> DayFiles:
    return DayFiles("archive", folder, form, keep_days, clock or FakeClock(NOW), utc_day)


def sample(seq: int = 1, sent: int = NOW) -> Message:
    found = message(reading(voltage=230.0 + seq, closed=True), reading(at=NOW + 1, voltage=231.0), seq=seq)
    return Message(
        epoch="1a2b3c4d-ffff", seq=seq, sent=sent, boot="b", first=found.seq * 2 - 1, records=found.records
    )  # fmt: skip


def test_json_lines_hold_the_record(tmp_path: Path) -> None:
    """One line a record with its number, in a file of its stream, the day and the epoch."""
    trip = message(event("trip.overcurrent", trip_current=80.5), seq=2)
    gap = message(Gap(stream="readings", first=3, last=9, start=NOW, end=NOW, reason="full"), seq=3)
    told_late = message(Correction(boot="b", offset_ms=5000, start=NOW, end=NOW + 1), seq=4)
    opened(tmp_path).write([sample(), trip, gap, told_late])
    day = utc_day(NOW)
    found = {file.name: [json.loads(line) for line in file.read_bytes().splitlines()] for file in tmp_path.iterdir()}
    assert set(found) == {
        f"readings-{day}-1a2b3c4d.jsonl", f"events-{day}-e0000000.jsonl", f"gaps-{day}-e0000000.jsonl",
        f"corrections-{day}-e0000000.jsonl",
    }  # fmt: skip
    (correction,) = found[f"corrections-{day}-e0000000.jsonl"]
    assert (correction["boot"], correction["offset_ms"], correction["from"]) == ("b", 5000, rfc3339(NOW))
    first, second = found[f"readings-{day}-1a2b3c4d.jsonl"]
    assert (first["seq"], first["row"], first["n"], first["device"]) == (1, 1, 1, "b0101")
    assert (first["clock"], first["boot"]) == ("trusted", "b")
    assert (first["values"], second["n"], second["row"]) == ({"voltage": 231.0, "closed": True}, 2, 2)
    (told,) = found[f"events-{day}-e0000000.jsonl"]
    assert (told["kind"], told["cleared"], told["values"]) == ("trip.overcurrent", None, {"trip_current": 80.5})


def test_csv_opens_in_a_spreadsheet(tmp_path: Path) -> None:
    """A head, one value a row, Chinese readable, no text that would be run as a formula or break a row."""
    odd = reading(voltage=-1.5, name="=cmd()", place="清溪\r\n一", marks={"voltage": "bad"})
    told_late = message(Correction(boot="b", offset_ms=5000, start=NOW, end=NOW + 1), seq=4)
    opened(tmp_path, "csv").write([message(odd), told_late])
    (told,) = tmp_path.glob("corrections-*.csv")
    assert told.read_text("utf-8-sig").splitlines()[1].startswith("4,1,b,5000,")
    (file,) = tmp_path.glob("readings-*.csv")
    assert file.read_bytes().startswith("\N{ZERO WIDTH NO-BREAK SPACE}seq,row,".encode())
    with file.open(encoding="utf-8-sig", newline="") as lines_of:
        rows = list(csv.DictReader(lines_of))
    assert [(row["name"], row["value"], row["mark"]) for row in rows] == [
        ("voltage", "-1.5", "bad"), ("name", "'=cmd()", ""), ("place", "清溪 一", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_message_that_comes_again_is_not_written_twice(tmp_path: Path, form: Form) -> None:
    """After a restart as within a run, also when only a part of it had reached the file."""
    messages = [sample(seq) for seq in (1, 2, 3)]
    opened(tmp_path, form).write(messages)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    again = opened(tmp_path, form)
    again.write(messages)
    again.write(messages[1:])
    assert file.read_bytes() == whole


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@settings(max_examples=40)
@given(st.data())
def test_a_torn_file_is_repaired_wherever_it_tore(
    tmp_path_factory: pytest.TempPathFactory, form: Form, data: st.DataObject
) -> None:
    """Cut anywhere, with or without the zeros that a power cut leaves: written again it is the whole file."""
    folder = tmp_path_factory.mktemp("torn")
    messages = [sample(seq) for seq in (1, 2, 3)]
    opened(folder, form).write(messages)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    rubbish = data.draw(st.sampled_from([b"", b"\0" * 100, b"\0\n\0", b'{"seq":'])) if cut < len(whole) else b""
    file.write_bytes(whole[:cut] + rubbish)
    opened(folder, form).write(messages)
    assert file.read_bytes() == whole


def test_a_file_with_other_columns_keeps_its_lines(tmp_path: Path) -> None:
    """As an older version left it on the day of an update: set aside whole, a new one begun, both forgotten in time."""
    opened(tmp_path, "csv").write([sample()])
    (file,) = tmp_path.iterdir()
    older = b"seq,row,at,value\n1,1,x,230\n"
    for count in (1, 2):
        file.write_bytes(older)
        opened(tmp_path, "csv").write([sample(2)])
        assert [path.read_bytes() for path in sorted(tmp_path.glob("*.[0-9].csv"))] == [older] * count
        assert file.read_bytes().startswith(header("readings", "csv"))
    later = FakeClock(NOW + 40 * DAY_MS)
    opened(tmp_path, "csv", 30, later).write([sample(3, NOW + 40 * DAY_MS)])
    assert len(list(tmp_path.iterdir())) == 1


def test_a_long_tail_of_rubbish_is_cut_off_too(tmp_path: Path) -> None:
    """More than is looked at first."""
    opened(tmp_path).write([sample()])
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole + b"x" * (3 << 20))
    opened(tmp_path).write([sample(), sample(2)])
    assert file.read_bytes().startswith(whole)
    assert file.read_bytes().count(b"\n") == 4


def test_days_begin_files_and_old_ones_are_forgotten(tmp_path: Path) -> None:
    """By the day of the message; others' files stay, and a clock that was never set forgets nothing."""
    clock = FakeClock(NOW)
    sink = opened(tmp_path, keep_days=2, clock=clock)
    (tmp_path / "notes.txt").write_text("mine")
    for day in range(5):
        clock.now = 100.0 + day * 86_400
        sink.write([sample(day + 1, NOW + day * DAY_MS)])
    kept = sorted(file.name for file in tmp_path.iterdir())
    days = [utc_day(NOW + day * DAY_MS) for day in (2, 3, 4)]
    assert kept == ["notes.txt", *(f"readings-{day}-1a2b3c4d.jsonl" for day in days)]
    clock.now += 900 * 86_400
    clock.state = lambda: "untrusted"  # type: ignore[method-assign]
    sink.write([sample(6, clock.wall_ms())])
    assert len(list(tmp_path.iterdir())) == 5


def test_a_full_disk_leaves_whole_lines_and_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was half written is taken back; the next try writes it, and nothing is there twice."""
    sink = opened(tmp_path)
    sink.write([sample(1)])
    write, room = os.write, [30]

    def full(handle: int, content: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        room[0] -= (taken := min(room[0], len(content)))
        return write(handle, content[:taken])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(TryAgain, match=r"Sink archive: .* cannot be written .No space left on device.; check the disk"):
        sink.write([sample(2)])
    (file,) = tmp_path.iterdir()
    assert file.read_bytes().count(b"\n") == 2
    room[0] = 1 << 20
    sink.write([sample(2)])
    assert [json.loads(line)["seq"] for line in file.read_bytes().splitlines()] == [1, 1, 2, 2]


def test_nothing_is_marked_before_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is synced at every write, the folder when a file is new; a failed sync is a failed write."""
    synced: list[str] = []
    sync = os.fsync

    def watched(handle: int) -> None:
        synced.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")  # noqa: PTH112
        sync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    sink = opened(tmp_path)
    sink.write([sample(1)])
    sink.write([sample(2)])
    assert synced == ["file", "folder", "file"]

    def sick(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", sick)
    with pytest.raises(TryAgain, match="Input/output error"):
        sink.write([sample(3)])


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_places_are_read_back(form: Form) -> None:
    """Every line tells its place; what is no such line has none."""
    for place, line in lines(sample(7), form):
        assert place_of(line[:-1], "readings", form) == place
    for rubbish in (b"", b"\0\0", b"1,2", b'{"seq":1}', b"[1]", b"\xff\xfe", b'"'):
        assert place_of(rubbish, "readings", form) is None
    assert form == "jsonl" or place_of(header("events", form)[:-1], "events", form) == (0, 0)


def test_every_column_is_documented() -> None:
    """docs/sinks.md has the row of each file as it is."""
    page = Path(__file__).parents[2] / "docs" / "sinks.md"
    text = page.read_text(encoding="utf-8")
    for stream, names in COLUMNS.items():
        assert f"\n| {stream} | `{', '.join(names)}`" in text, stream
