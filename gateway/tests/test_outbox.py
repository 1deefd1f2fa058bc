"""The promise of the outbox: accepted means committed, numbers have no hole, a message never changes."""

import math
import sqlite3
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.outbox import Outbox, database
from gateway.outbox.database import connect, open_for_reading
from gateway.outbox.route import Keeping
from gateway.records import Event, Gap, Note, OpenEvent, Reading
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import Route, event, opened, reading
from gateway.uplink import native


def _fill(outbox: Outbox, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        outbox.put_reading(reading(number))
    outbox.flush()


def test_numbers_go_on_across_restarts(tmp_path: Path) -> None:
    """Records, messages and the epoch continue where the last run ended."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock)
    _fill(outbox, 3)
    first = outbox.next_messages("county", 5, 5)
    clock.now += 2
    first += outbox.next_messages("county", 5, 5)
    outbox.close()
    again = opened(tmp_path, clock)
    _fill(again, 2)
    clock.now += 2
    (second,) = again.next_messages("county", 5, 5)
    assert [(m.seq, m.first, len(m.records)) for m in (*first, second)] == [(1, 1, 3), (2, 4, 2)]
    assert second.epoch == first[0].epoch


def test_a_message_composed_and_not_confirmed_is_the_same_after_a_crash(tmp_path: Path) -> None:
    """Same number, same bytes, although time has passed and records were added."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock)
    _fill(outbox, 3)
    outbox.accept_event(event(), "k")
    clock.now += 2
    before = {m.seq: native.encode(m) for m in outbox.next_messages("county", 5, 5)}
    outbox._connection.close()  # type: ignore[union-attr]  # the process dies here
    clock.now += 100
    again = opened(tmp_path, clock)
    _fill(again, 9)
    assert again.undelivered("county") == sorted(before)
    for seq, encoded in before.items():
        message = again.message("county", seq)
        assert message is not None
        assert native.encode(message) == encoded


def test_an_alarm_overtakes_every_queued_reading(tmp_path: Path) -> None:
    """With a backlog of 2,000 readings, an event is the next message, also with no room for readings."""
    outbox = opened(tmp_path, FakeClock())
    _fill(outbox, 2000)
    outbox.accept_event(event(), "k")
    (alarm,) = outbox.next_messages("county", 1, 1)
    assert isinstance(alarm.records[0], Event)
    outbox.accept_event(event("e2"), "k")
    (alarm,) = outbox.next_messages("county", 4, 0)
    assert alarm.records[0] == event("e2")


def test_readings_share_messages_and_wait_no_longer_than_max_delay(tmp_path: Path) -> None:
    """A few wait until `max_delay` after the first of them; a backlog waits for nobody."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock)
    outbox.put_reading(reading(1))
    clock.now += 0.8
    outbox.put_reading(reading(2))
    assert outbox.next_messages("county", 5, 5) == []
    assert outbox.due_in("county") == pytest.approx(1.1)
    clock.now += 1.2
    (message,) = outbox.next_messages("county", 5, 5)
    assert len(message.records) == 2
    assert outbox.due_in("county") is None
    _fill(outbox, 600)
    assert [len(m.records) for m in outbox.next_messages("county", 5, 5)] == [256, 256]


def test_a_message_holds_readings_of_one_boot(tmp_path: Path) -> None:
    """The boot stands once in a message, so a restart of the machine begins a new one."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock)
    _fill(outbox, 2)
    outbox.close()
    clock.boot = "boot-2"
    outbox = opened(tmp_path, clock)
    _fill(outbox, 2)
    assert [(m.boot, m.first) for m in outbox.next_messages("county", 9, 9)] == [("boot-1", 1), ("boot-2", 3)]


def test_open_events_survive(tmp_path: Path) -> None:
    """What was raised and not cleared is known after a restart, with its key; what cleared is not."""
    outbox = opened(tmp_path, FakeClock())
    outbox.accept_event(event("a"), "trip-1")
    outbox.accept_event(event("b"), "trip-2")
    outbox.accept_event(event("a", cleared=1_795_000_001_000), "trip-1")
    outbox.close()
    (left,) = opened(tmp_path, FakeClock()).open_events()
    assert (left.event, left.key) == (event("b"), "trip-2")


def test_acknowledged_records_leave(tmp_path: Path) -> None:
    """With acks the receiver's word, and only that, removes records; a foreign epoch or number changes nothing."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock, Route(acks=True, max_delay=0))
    _fill(outbox, 600)
    sent = outbox.next_messages("county", 9, 9)
    assert outbox.acknowledge("county", "other", 2) is None
    assert outbox.acknowledge("county", outbox.epoch, len(sent) + 1) is None
    assert outbox.acknowledge("county", outbox.epoch, 2) == 2
    assert outbox.stats().queued == 600 - 512
    clock.now += 31
    outbox.flush()
    assert outbox.message("county", 2) is None
    assert outbox.message("county", 3) == sent[2]
    assert outbox.export(tmp_path / "out") == 600 - 512


def test_the_replay_window(tmp_path: Path) -> None:
    """Without acks a delivered message can be sent again for an hour, wherever the wall clock jumps, and then goes."""
    clock = FakeClock()
    outbox = Outbox(tmp_path, clock, [Route(max_delay=0)], Keeping(replay_window=3600))
    _fill(outbox, 10)
    (sent,) = outbox.next_messages("county", 9, 9)
    clock.now += 2
    outbox.mark_delivered("county", [1])
    outbox.flush()
    clock._start += 10**10
    clock.now += 3500
    outbox.flush()
    assert outbox.resend("county", outbox.epoch, 1, 1) == [1]
    assert outbox.message("county", 1) == sent
    clock.now += 200
    outbox.flush()
    assert outbox.resend("county", outbox.epoch, 1, 1) == []
    (answer,) = outbox.next_messages("county", 9, 9)
    assert isinstance(answer.records[0], Gap)
    assert (answer.records[0].stream, answer.records[0].first, answer.records[0].last) == ("messages", 1, 1)
    outbox.close()
    again = opened(tmp_path, clock)
    _fill(again, 1)
    clock.now += 2
    (following,) = again.next_messages("county", 9, 9)
    assert (following.seq, following.first) == (3, 11)


def test_values_that_json_cannot_carry_are_marked(tmp_path: Path) -> None:
    """NaN and infinity are left out and marked bad; the rest of the reading is kept."""
    outbox = opened(tmp_path, FakeClock(), Route(max_delay=0))
    outbox.put_reading(reading(1, voltage=230.0, current=float("nan"), power=float("inf")))
    (message,) = outbox.next_messages("county", 1, 1)
    (found,) = message.records
    assert isinstance(found, Reading)
    assert (found.values, found.marks) == ({"voltage": 230.0}, {"current": "bad", "power": "bad"})


def test_an_unreadable_row_is_set_aside_and_announced(tmp_path: Path) -> None:
    """One broken group becomes a gap of its numbers, a broken event as well; their neighbours are delivered."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock, Route(max_delay=0))
    for number in range(3):
        _fill(outbox, 1, number)
        outbox.accept_event(event(f"e{number}"), "k")
    outbox._connection.execute("UPDATE block SET body = x'00ff' WHERE first = 2")  # type: ignore[union-attr]
    outbox._connection.execute("UPDATE record SET body = x'00ff' WHERE n = 2")  # type: ignore[union-attr]
    messages = outbox.next_messages("county", 9, 9) + outbox.next_messages("county", 9, 9)
    runs = [(m.first, len(m.records)) for m in messages if isinstance(m.records[0], Reading)]
    gaps = [m.records[0] for m in messages if isinstance(m.records[0], Gap)]
    assert runs == [(1, 1), (3, 1)]
    assert [(g.stream, g.first, g.last) for g in gaps if isinstance(g, Gap)] == [("events", 2, 2), ("readings", 2, 2)]
    assert outbox.stats().dropped == 2


class _FullDisk:
    """A connection whose file may not grow beyond what it has, until it is freed."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None

    def __call__(self, path: Path) -> sqlite3.Connection:
        self.connection = connect(path)
        return self.connection

    def limit(self, spare: int) -> None:
        assert self.connection is not None
        pages = self.connection.execute("PRAGMA page_count").fetchone()[0]
        self.connection.execute(f"PRAGMA max_page_count={pages + spare}")


def _until_full(outbox: Outbox) -> int:
    """Accept events e0, e1, ... until one is refused; its number."""
    for number in range(1000):
        try:
            outbox.accept_event(event(f"e{number}"), "k")
        except StoreError:
            return number
    raise AssertionError("the disk never was full")


def test_a_full_disk_keeps_events_and_recovers_without_a_restart(tmp_path: Path) -> None:
    """StoreError names the cause; the event stays its sender's; readings beyond the bound become a gap, counted."""
    disk = _FullDisk()
    outbox = Outbox(tmp_path, FakeClock(), [Route(max_delay=0)], connect=disk)
    _fill(outbox, 5)
    disk.limit(2)
    for number in range(10_007):
        outbox.put_reading(reading(number, voltage=math.sin(number)))
    with pytest.raises(StoreError, match="full"):
        outbox.flush()
    assert outbox.stats().accepted == 5
    kept = _until_full(outbox)  # events take what little there is; readings wait
    assert kept > 0
    assert outbox.trouble is not None
    disk.limit(100_000)
    outbox.accept_event(event(f"e{kept}"), "k")
    assert outbox.trouble is None
    found = outbox.stats()
    assert (found.accepted, found.dropped) == (5 + 10_007 + kept + 1, 256)
    messages = outbox.next_messages("county", 99, 99)
    (gap,) = [m.records[0] for m in messages if isinstance(m.records[0], Gap)]
    assert (gap.first, gap.last) == (6, 5 + 256)
    assert [m.records[0] for m in messages[: kept + 1]] == [event(f"e{number}") for number in range(kept + 1)]


def test_on_a_full_disk_pictures_give_way_before_readings(tmp_path: Path) -> None:
    """Asked until the readings that wait are committed, none dropped; never asked when only the cap is reached."""
    disk, asked = _FullDisk(), []

    def shed(wanted: int) -> int:
        asked.append(wanted)
        if len(asked) == 2:
            disk.limit(100_000)
        return 1000

    clock = FakeClock()
    outbox = Outbox(tmp_path, clock, [Route(max_delay=0)], connect=disk)
    outbox.shed_first(shed)
    _fill(outbox, 5)
    outbox.step()
    disk.limit(0)
    for number in range(5000):
        outbox.put_reading(reading(number, voltage=math.sin(number)))
    for _ in range(5):
        clock.now += 1
        outbox.step()
    assert (len(asked), outbox.counts["bytes_shed"]) == (2, 2000)
    found = outbox.stats()
    assert (found.accepted, found.dropped, outbox.trouble) == (5005, 0, None)
    outbox.close()
    small = Outbox(tmp_path, clock, [Route(max_delay=0)], Keeping(max_bytes=40_000))
    small.shed_first(shed)
    while small.tend():
        clock.now += 1
    assert small.counts["readings_thinned"] + small.counts["readings_dropped"] > 0
    assert len(asked) == 2
    small.close()


def test_events_and_the_note_with_them_are_one_commit(tmp_path: Path) -> None:
    """All or none, also over a restart; the same again with the same note is harmless; a note alone waits a second."""
    disk = _FullDisk()
    outbox = Outbox(tmp_path, FakeClock(), [Route(max_delay=0)], connect=disk)
    came = OpenEvent(event=event("a"), key="4")
    went = OpenEvent(event=event("a", cleared=1_795_000_001_000), key="4")
    note = Note(key="device b0101", text='{"counted":{"trip_count":4}}')
    _fill(outbox, 5)
    disk.limit(0)
    bulky = OpenEvent(event=event("b" * 9000), key="5")
    with pytest.raises(StoreError, match="full"):
        outbox.accept_events([came, went, bulky], note)
    assert (outbox.note("device b0101"), outbox.stats().accepted) == (None, 5)
    disk.limit(100_000)
    for _ in range(2):
        outbox.accept_events([came, went], note)
    assert outbox.stats().accepted == 5 + 2
    outbox.keep_note(Note(key="device b0102", text="later"))
    outbox.flush()
    outbox.close()
    again = opened(tmp_path, FakeClock())
    assert [again.note(f"device b010{number}") for number in (1, 2, 3)] == [note.text.encode(), b"later", None]
    assert again.open_events() == []


class _FailingSync(sqlite3.Connection):
    """A connection whose next commits reach the disk and say that they did not."""

    failing = False

    def execute(self, sql: str, *rest: object) -> sqlite3.Cursor:
        done = super().execute(sql, *rest)  # type: ignore[arg-type]
        if sql == "COMMIT" and _FailingSync.failing:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return done


def test_a_commit_whose_sync_failed_is_not_made_twice(tmp_path: Path) -> None:
    """It may be on the disk all the same: readings and events are there once, whatever their sender tries again."""
    outbox = Outbox(
        tmp_path,
        FakeClock(),
        [Route()],
        connect=lambda path: sqlite3.connect(path, isolation_level=None, factory=_FailingSync),
    )
    outbox.accept_event(event("a"), "k")
    for number in range(300):
        outbox.put_reading(reading(number))
    _FailingSync.failing = True
    try:
        with pytest.raises(StoreError, match="check the disk"):
            outbox.flush()
        outbox.put_reading(reading(300))
        with pytest.raises(StoreError):
            outbox.accept_event(event("a", cleared=1_795_000_001_000), "k")
    finally:
        _FailingSync.failing = False
    outbox.accept_event(event("a", cleared=1_795_000_001_000), "k")
    outbox.flush()
    assert outbox.stats().accepted == 301 + 2


def test_one_writer_only(tmp_path: Path) -> None:
    """A second outbox on the same folder is refused with a sentence."""
    first = opened(tmp_path, FakeClock())
    fast = sqlite3.connect

    def impatient(path: Path) -> sqlite3.Connection:
        return fast(path, timeout=0.01, isolation_level=None)

    with pytest.raises(StoreError, match="in use by another program"):
        Outbox(tmp_path, FakeClock(), [Route()], connect=impatient)
    first.close()


def test_each_uplink_has_a_queue_of_its_own(tmp_path: Path) -> None:
    """How many records wait for each, and since when; together they are what the store counts as queued."""
    outbox = opened(tmp_path, FakeClock(), Route("a", max_delay=0), Route("b", max_delay=0))
    _fill(outbox, 5)
    outbox.accept_event(event(), "k")
    outbox.mark_delivered("a", [message.seq for message in outbox.next_messages("a", 9, 9)])
    _fill(outbox, 2, 5)
    queues = outbox.queues()
    assert (queues["a"].queued, queues["b"].queued) == (2, 8)
    assert (queues["a"].oldest, queues["b"].oldest) == (1_795_000_000_005, 1_795_000_000_000)
    assert outbox.stats().queued == 8


def test_several_uplinks_have_their_own_numbers(tmp_path: Path) -> None:
    """Delivered means delivered by all; a new uplink begins at what is kept and hears of the rest as a gap."""
    both = (Route("a", acks=True, max_delay=0), Route("b", acks=True, max_delay=0))
    clock = FakeClock()
    outbox = opened(tmp_path, clock, *both)
    _fill(outbox, 300)
    for name in ("a", "b"):
        assert [m.seq for m in outbox.next_messages(name, 9, 9)] == [1, 2]
    outbox.acknowledge("a", outbox.epoch, 2)
    outbox.acknowledge("b", outbox.epoch, 1)
    assert outbox.stats().delivered == 256
    clock.now += 31
    outbox.flush()
    outbox.close()
    again = opened(tmp_path, FakeClock(), *both, Route("c", acks=True, max_delay=0))
    gap, rest = again.next_messages("c", 9, 9)
    assert isinstance(gap.records[0], Gap)
    assert (gap.records[0].first, gap.records[0].last, rest.first) == (1, 256, 257)
    again.close()
    without = opened(tmp_path, FakeClock(), both[1])
    assert without.undelivered("b") == [2]


def test_looking_into_an_outbox_on_a_read_only_disk(tmp_path: Path) -> None:
    """Whoever cannot write there still sees everything, also what only the write-ahead log holds yet."""
    folder = tmp_path / "disk"
    outbox = opened(folder, FakeClock())
    _fill(outbox, 20)
    outbox.accept_event(event(), "k")
    tried: list[Path] = []

    def refuse(path: Path) -> sqlite3.Connection:
        tried.append(path)
        if path.parent == folder:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error
        return database.reading(path)

    found = open_for_reading(folder, refuse)
    assert found is not None
    assert found.execute("SELECT max(last) FROM block").fetchone() == (20,)
    assert found.execute("SELECT count(*) FROM record").fetchone() == (1,)
    found.close()
    assert not tried[-1].parent.exists()
    outbox.close()
