"""Groups become blocks without anyone noticing: the same messages, numbers and lines; filters and boots are kept."""

import random
import sqlite3
from pathlib import Path

import pytest

from gateway import points
from gateway.filters import Filter
from gateway.outbox import Outbox
from gateway.outbox.compaction import READINGS_A_BLOCK
from gateway.outbox.route import Keeping
from gateway.records import Gap, Reading
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import RELEASED, Route, event, opened, reading
from gateway.uplink import native

_BLOCK = -(-READINGS_A_BLOCK // 40) * 40  # whole groups of 40
_FULL = 200_000  # bytes: what waits for packing, a block or two, and thinned ones
_ROUTE = Route(acks=True, max_delay=0)


def _fill(outbox: Outbox, count: int, start: int = 0, every: int = 40) -> None:
    dice = random.Random(start)
    for number in range(start, start + count):
        outbox.put_reading(
            Reading(
                device=f"b{number % 7:04d}",
                at=1_795_000_000_000 + number * 100,
                mono=number * 100,
                clock="trusted",
                values={"voltage": round(dice.gauss(230, 2), 1), "state": "on", "n": number, "raw": dice.random()},
                marks={"raw": "stale"} if number % 11 == 0 else {},
            )
        )
        if number % every == every - 1:
            outbox.commit()
    outbox.commit()


def _grades(outbox: Outbox) -> list[tuple[int, int]]:
    assert outbox._connection is not None
    return outbox._connection.execute("SELECT grade, last - first + 1 FROM block ORDER BY first").fetchall()


def _tend(outbox: Outbox) -> None:
    while outbox.tend():
        pass


def test_a_message_is_the_same_after_its_groups_were_packed(tmp_path: Path) -> None:
    """Composed before, rebuilt after, over a restart: the same bytes; export and counts do not change either."""
    outbox = opened(tmp_path, FakeClock(), _ROUTE)
    _fill(outbox, _BLOCK + 500)
    composed = {m.seq: native.encode(m) for m in outbox.next_messages("county", 9, 9)}
    outbox.export(tmp_path / "before")
    before = outbox.stats()
    _tend(outbox)
    assert _grades(outbox)[0] == (1, _BLOCK)
    outbox.export(tmp_path / "after")
    assert (tmp_path / "after").read_bytes() == (tmp_path / "before").read_bytes()
    assert outbox.stats().accepted == before.accepted
    outbox.close()
    again = opened(tmp_path, FakeClock(), _ROUTE)
    for seq, encoded in composed.items():
        message = again.message("county", seq)
        assert message is not None
        assert native.encode(message) == encoded
    numbers = [m.first + i for m in again.next_messages("county", 99, 99) for i in range(len(m.records))]
    assert numbers == list(range(numbers[0], _BLOCK + 500 + 1))


def test_runs_of_another_boot_and_after_a_hole_are_packed_apart(tmp_path: Path) -> None:
    """A block has one boot and no hole; a short run that nothing follows is packed as it is."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock, _ROUTE)
    _fill(outbox, 200)
    outbox.close()
    clock.boot = "boot-2"
    outbox = opened(tmp_path, clock, _ROUTE)
    _fill(outbox, 300, 200)
    assert outbox._connection is not None
    outbox._connection.execute("UPDATE block SET body = x'00' WHERE first = 321")
    outbox.next_messages("county", 99, 99)
    _tend(outbox)
    assert _grades(outbox) == [(1, 200), (1, 120), *[(0, 40)] * 3, (0, 20)]
    messages = [outbox.message("county", seq) for seq in outbox.undelivered("county")]
    runs = [(m.boot, m.first, len(m.records)) for m in messages if m and isinstance(m.records[0], Reading)]
    assert runs == [("boot-1", 1, 200), ("boot-2", 201, 120), ("boot-2", 361, 140)]


def test_a_damaged_group_does_not_stop_the_packing(tmp_path: Path) -> None:
    """It is set aside and announced; its neighbours are packed."""
    outbox = opened(tmp_path, FakeClock(), _ROUTE)
    _fill(outbox, _BLOCK + 200)
    assert outbox._connection is not None
    outbox._connection.execute("UPDATE block SET body = x'00' WHERE first = 81")
    _tend(outbox)
    assert _grades(outbox)[:2] == [(1, 80), (1, _BLOCK)]
    assert outbox.stats().dropped == 40


@pytest.mark.parametrize("stop", [1, 2])
def test_a_stop_while_packing_loses_nothing(tmp_path: Path, stop: int) -> None:
    """At any point of it: before or after."""
    outbox = opened(tmp_path, FakeClock(), _ROUTE)
    _fill(outbox, _BLOCK)
    left = stop

    def hook(name: str) -> None:
        nonlocal left
        left -= name == "compact"
        if left == 0:
            raise KeyboardInterrupt

    points.watch(hook)
    try:
        with pytest.raises(KeyboardInterrupt):
            outbox.tend()
    finally:
        points.watch(None)
    assert outbox._connection is not None
    outbox._connection.close()
    again = opened(tmp_path, FakeClock(), _ROUTE)
    assert sum(count for _, count in _grades(again)) == _BLOCK
    _tend(again)
    assert _grades(again) == [(1, _BLOCK)]


def test_rows_of_schema_1_are_taken_in(tmp_path: Path) -> None:
    """Readings that an earlier release left one in a row lie in blocks soon, and messages stay as they were."""
    (tmp_path / "outbox.db").write_bytes((RELEASED / "0001.db").read_bytes())
    routes = (Route("county"), Route("town", acks=True, max_delay=0))
    outbox = opened(tmp_path, FakeClock(), *routes)
    before = [outbox.message("county", seq) for seq in outbox.undelivered("county")]
    accepted = outbox.stats().accepted
    _tend(outbox)
    assert outbox._connection is not None
    assert outbox._connection.execute("SELECT count(*) FROM record WHERE stream = 1").fetchone() == (0,)
    assert [outbox.message("county", seq) for seq in outbox.undelivered("county")] == before
    assert outbox.stats().accepted == accepted


def test_a_filter_passes_over_what_it_does_not_want(tmp_path: Path) -> None:
    """`seq` has no hole, `last` says how far was looked; a message stays what it was, also with another filter."""
    wanted = Filter(devices=("b0003",), names=("voltage",), grades=(2,))
    route = Route(acks=True, max_delay=0, filter=wanted)
    outbox = opened(tmp_path, FakeClock(), route)
    _fill(outbox, 5000)
    outbox.accept_event(event("a"), "k")
    messages = outbox.next_messages("county", 9, 9) + outbox.next_messages("county", 9, 9)
    assert [m.seq for m in messages] == [1, 2, 3]
    assert messages[0].first == 4
    assert messages[-1].last == 5000
    readings = [r for m in messages for r in m.records]
    assert len(readings) == 5000 // 7
    assert all(isinstance(r, Reading) and r.device == "b0003" and [*r.values] == ["voltage"] for r in readings)
    outbox.close()
    again = opened(tmp_path, FakeClock(), Route(acks=True, max_delay=0))
    assert [again.message("county", m.seq) for m in messages] == messages
    again.acknowledge("county", again.epoch, 3)
    assert again.stats().queued == 0  # the event was passed over, and stays so


def test_what_a_filter_passes_over_is_forgotten(tmp_path: Path) -> None:
    """An uplink that wants none of the readings does not keep them for ever, and they count as delivered."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock, Route(acks=True, max_delay=0, filter=Filter(kinds=("events",))))
    _fill(outbox, 600)
    assert outbox.next_messages("county", 9, 9) == []
    assert outbox.stats().queued == 0
    clock.now += 31
    _tend(outbox)
    assert outbox.export(tmp_path / "out") == 0
    outbox.put_reading(reading(1))
    assert outbox.stats().accepted == 600


def test_a_gap_is_told_to_those_that_miss_its_numbers(tmp_path: Path) -> None:
    """A full store stays below its limit, and each receiver misses exactly the numbers that it is told of."""
    both = (Route("a", acks=True, max_delay=0), Route("b", acks=True, max_delay=0))
    clock = FakeClock()
    outbox = _small(tmp_path, clock, both)
    accepted = 0
    got: dict[str, set[int]] = {"a": set(), "b": set()}
    while accepted < 26_000:
        _fill(outbox, 500, accepted, every=250)
        accepted += 500
        _tend(outbox)
        if accepted < 10_000 and accepted % 2000 == 0:
            got["b"] |= _take(outbox, "b")[0]
    assert outbox.counts["readings_thinned"] > 0
    assert outbox.counts["readings_dropped"] > 0
    outbox.close()
    # In so small a store the block that is being packed, beside the groups that it replaces, counts.
    assert sum(file.stat().st_size for file in tmp_path.glob("outbox.*")) <= _FULL + 70_000
    with sqlite3.connect(tmp_path / "outbox.db") as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    file.close()
    outbox = _small(tmp_path, clock, both)
    for name in ("a", "b"):
        readings, missing = _take(outbox, name)
        got[name] |= readings
        assert missing == set(range(1, accepted + 1)) - got[name]
    assert len(got["b"]) > len(got["a"])
    stats = outbox.stats()
    assert (stats.queued, stats.dropped) == (0, accepted - len(got["a"]))


def _small(folder: Path, clock: FakeClock, routes: tuple[Route, ...]) -> Outbox:
    return Outbox(folder, clock, routes, Keeping(max_bytes=_FULL))


def _take(outbox: Outbox, name: str) -> tuple[set[int], set[int]]:
    readings: set[int] = set()
    missing: set[int] = set()
    while made := outbox.next_messages(name, 60, 60):
        for message in made:
            head = message.records[0]
            if isinstance(head, Gap):
                missing |= set(range(head.first, head.last + 1))
            else:
                readings |= set(range(message.first, message.first + len(message.records)))
        outbox.acknowledge(name, outbox.epoch, made[-1].seq)
    return readings, missing
