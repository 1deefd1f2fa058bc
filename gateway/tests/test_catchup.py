"""Catching up from a device's journal: what happened while nobody could look is told once, with its own time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from gateway.bus.catchup import CatchUp, Mark, Stretch, most_entries
from gateway.bus.planner import Planner
from gateway.bus.poller import BusPoller
from gateway.bus.wire import Wire
from gateway.profile.model import Journal
from gateway.records import Event, OpenEvent, Value
from gateway.rules.events import Occurrence
from gateway.tests.fake_clock import FakeClock
from gateway.tests.played_board import BREAKER, PlayedBoard, entry
from gateway.tests.test_poller import Memory, bus, until
from gateway.tests.test_poller_over_time import PlayedPort, poller_on

assert BREAKER.journal is not None
BOOK: Journal = BREAKER.journal
NOW_MS = 1_795_000_000_000


def read_all(
    entries: dict[int, bytes], since: int | None, *, baud: int = 9600, uptime: int = 1000, boot: int = 7
) -> tuple[list[Occurrence], list[Stretch]]:
    """A whole catch-up on a board with these entries, whose clock tells nothing; and what it read of the file."""
    wire = Wire(baud)
    catch_up = CatchUp(BREAKER, BOOK, Planner(BREAKER, wire), wire, since)
    values: dict[str, Value] = {
        "journal_first": min(entries), "journal_next": max(entries) + 1, "uptime": uptime, "boot_count": boot,
    }  # fmt: skip
    stretches = []
    while (question := catch_up.next()) is not None:
        if not isinstance(question, Stretch):
            catch_up.told({r.name: values[r.name] for r in question.registers}, NOW_MS)
            continue
        stretches.append(question)
        slots = range(question.record // BOOK.words, (question.record + question.count) // BOOK.words)
        held = {number % BOOK.entries: data for number, data in entries.items()}
        data = b"".join(held.get(slot, bytes(32)) for slot in slots)
        catch_up.read(question, [data[at] << 8 | data[at + 1] for at in range(0, len(data), 2)])
    return catch_up.found(clock_is_right=True), stretches


def test_only_what_is_new_is_read_and_the_ring_is_followed_around() -> None:
    """From the entry after the last known one to the last, over the end of the file to its start."""
    entries = {number: entry(number, 7, 3, number) for number in range(100, 700)}
    _, stretches = read_all(entries, 598)
    assert [stretch.first for stretch in stretches] == list(range(598, 700))
    assert [stretch.record for stretch in stretches][:3] == [598 * 16, 599 * 16, 0]
    _, quick = read_all(entries, 598, baud=115200)
    assert [(stretch.first, stretch.count // 16) for stretch in quick][:3] == [(598, 2), (600, 7), (607, 7)]


@pytest.mark.parametrize("since", [None, 50, 900])
def test_without_a_known_place_all_of_it_is_read(since: int | None) -> None:
    """Never read, overwritten meanwhile, or another board's number: from the oldest entry on."""
    entries = {number: entry(number, 7, 3, number) for number in range(100, 110)}
    assert [stretch.first for stretch in read_all(entries, since)[1]] == list(range(100, 110))


def test_one_exchange_is_short() -> None:
    """As many entries as 50 ms allow, one at least, and no more than the board's page holds."""
    assert [most_entries(BOOK, Wire(baud)) for baud in (1200, 9600, 38400, 115200, 1_000_000)] == [1, 1, 4, 7, 7]


def test_every_start_has_its_time_as_far_as_it_is_known() -> None:
    """This start by its uptime, an earlier one by an entry with the clock, one without any not after the next."""
    entries = {
        0: entry(0, 4, 2, 5_000, a=1, b=80_000, c=1),
        1: entry(1, 5, 1, 0, a=3),
        2: entry(2, 5, 3, 60_000, clock=NOW_MS // 1000 - 5000),
        3: entry(3, 5, 2, 61_500, a=3, b=500, c=2),
        4: entry(4, 7, 2, 10_250, a=1, b=90_125, c=3),
        5: b"\x01" + entry(5, 7, 2, 0, c=4)[1:],  # damaged
    }
    found, _ = read_all(entries, 0)
    assert [(one.counter, one.number, one.at - NOW_MS, one.sure) for one in found] == [
        ("trip_count", 1, -5_060_000, False),
        ("boot_count", 5, -5_060_000, True),
        ("trip_count", 2, -4_998_500, True),
        ("trip_count", 3, -989_750, True),
    ]
    assert found[3].values == {"cause": 1, "trip_current": 90.125}


def test_what_a_trip_left_is_told_with_it() -> None:
    """The next entry with values after the trip holds its own; what was not known is left out."""
    entries = {
        0: entry(0, 7, 2, 0, a=6, b=70_000, c=9),
        1: entry(1, 7, 3, 0, a=2, b=3),
        2: entry(2, 7, 8, 0, a=1, b=2301 << 16 | 0xFFFF, c=1402 << 16 | 0xFFFF - 49),
        3: entry(3, 7, 2, 0, a=3, b=6_000, c=10),
        4: entry(4, 7, 8, 0, a=3, b=2310 << 16 | 31, c=1402 << 16 | 0x8000),
        5: entry(5, 7, 2, 0, a=1, b=6_000, c=11),
        6: entry(6, 8, 1, 0, a=3),
        7: entry(7, 8, 8, 0, a=1),
    }
    hot, leaking, cut_short, _ = read_all(entries, 0)[0]
    assert cut_short.values == {"cause": 1, "trip_current": 6.0}
    assert hot.values == {
        "cause": 6, "trip_current": 70.0, "trip_by": 1, "trip_voltage": 230.1, "thermal": 140.2,
        "trip_temperature": -5.0,
    }  # fmt: skip
    assert (leaking.values["trip_residual"], "trip_temperature" in leaking.values) == (0.031, False)


def test_a_board_that_is_always_busy_is_given_up() -> None:
    """It comes to its flash between two questions; one that never does keeps its journal."""
    wire = Wire(9600)
    catch_up = CatchUp(BREAKER, BOOK, Planner(BREAKER, wire), wire, None)
    asked = 0
    while (question := catch_up.next()) is not None:
        asked += 1
        if isinstance(question, Stretch):
            catch_up.busy()
        else:
            catch_up.told({r.name: 5 if r.name == "journal_next" else 0 for r in question.registers}, NOW_MS)
    assert asked < 100
    assert catch_up.found(clock_is_right=True) == []


def test_the_journals_end_is_believed_once_the_counters_were_read_after_it() -> None:
    """A trip that nobody counted yet may lie below the number that was read."""
    mark = Mark(BREAKER)
    mark.take({"journal_next": 40, "trip_count": 3}, owed=False)
    mark.take({"trip_count": 3}, owed=False)
    assert mark.since is None
    mark.take({"boot_count": 7}, owed=True)
    assert mark.since is None
    mark.take({"trip_count": 4}, owed=False)
    assert mark.since == 40


# --- the whole way, in simulated time --------------------------------------------------------------


@contextmanager
def running(board: PlayedBoard, sink: Memory) -> Iterator[BusPoller]:
    port = PlayedPort(board.clock, board.answer)
    poller = poller_on(port, board.clock, bus("/dev/played", ("b1", 1, BREAKER)), sink)
    poller.start()
    try:
        yield poller
    finally:
        poller.request_stop()
        poller.join(20.0)
        assert not poller.alive()


def pass_time(poller: BusPoller, clock: FakeClock, seconds: float) -> None:
    """The poller's own waits and exchanges let it pass."""
    end = clock.now + seconds
    until(lambda: clock.now > end or not poller.alive(), "time passed")


def told(events: Sequence[tuple[Event, str]], *kinds: str) -> list[tuple[str, int]]:
    """What was raised, with its seconds from the start of the test's clock."""
    return [
        (event.kind, round((event.raised - NOW_MS) / 1000))
        for event, _ in events
        if event.cleared is None and event.kind.startswith(kinds or ("trip", "device.restarted"))
    ]


def seconds(*moments: int) -> list[int]:
    return [round((moment - NOW_MS) / 1000) for moment in moments]


class Fault:
    """Silence from the second `begin` of the clock to `end`, with deeds that the board does in between."""

    def __init__(self, clock: FakeClock, begin: float, end: float, deeds: Sequence[tuple[float, Callable[[], int]]]):
        self._clock, self._begin, self._end, self._deeds = clock, begin, end, list(deeds)
        self.moments: list[int] = []

    def __call__(self) -> bool:
        """Whether it is silent now; what was to happen by now has happened."""
        while self._deeds and self._clock.now >= self._deeds[0][0]:
            self.moments.append(self._deeds.pop(0)[1]())
        return self._begin < self._clock.now < self._end


@pytest.mark.integration
def test_what_happened_during_a_bus_fault_is_told_with_its_own_time() -> None:
    """Two trips that were re-armed and a restart in an hour of silence: each once, dated, as what it was."""
    clock, sink = FakeClock(), Memory()
    board = PlayedBoard(clock)
    deeds = [
        (1000.0, lambda: board.trip(1)), (1600.0, lambda: board.trip(3, 6_000)), (2200.0, board.restart),
        (2500.0, lambda: board.trip(5, 100)),
    ]  # fmt: skip
    board.told_time = True
    fault = board.silent = Fault(clock, 400.0, 4000.0, deeds)
    with running(board, sink) as poller:
        until(lambda: len(told(sink.events)) == 4 or not poller.alive(), "all was told")
        pass_time(poller, clock, 100)
    found = dict(told(sink.events))
    expected = seconds(*fault.moments)
    names = ["trip.overcurrent", "trip.residual", "device.restarted", "trip.undervoltage"]
    assert [abs(found[name] - at) <= 1 for name, at in zip(names, expected, strict=True)] == [True] * 4
    assert len(told(sink.events)) == 4
    assert len(told(sink.events, "device.lost")) == 1
    by_kind = {event.kind: event.values for event, _ in sink.events}
    assert by_kind["trip.residual"] == {"trip_by": 1}
    assert by_kind["trip.overcurrent"] == {"trip_current": 80.0, "thermal": 160.0}
    assert by_kind["device.restarted"] == {"boot_count": 8, "reset_cause": 3}


@pytest.mark.integration
def test_what_happened_while_no_gateway_ran_is_told_at_its_start_and_once() -> None:
    """Trip, restart and a trip that still stands: the next gateway tells all three, the one after it nothing."""
    clock, sink = FakeClock(), Memory()
    board = PlayedBoard(clock)
    with running(board, sink) as poller:
        until(lambda: "journal" in "".join(sink.notes.values()), "the journal's end was known")
        pass_time(poller, clock, 100)
    assert told(sink.events) == []
    clock.now += 3600
    moments = [board.restart()]
    clock.now += 60
    moments += [board.trip(1)]
    clock.now += 600
    moments += [board.trip(2, 200_000, stays=True)]
    clock.now += 3600
    with running(board, sink) as poller:
        until(lambda: len(told(sink.events)) == 3 or not poller.alive(), "all was told")
        pass_time(poller, clock, 100)
    found = sorted(told(sink.events), key=lambda one: one[1])
    assert [name for name, _ in found] == ["device.restarted", "trip.overcurrent", "trip.instantaneous"]
    assert all(abs(at - wanted) <= 1 for (_, at), wanted in zip(found, seconds(*moments), strict=True))
    assert min(record for record, _ in board.asked_files) >= 16  # the first entry was known
    standing = [(event, key) for event, key in sink.events if event.kind == "trip.instantaneous"]
    sink.opened = [OpenEvent(event=standing[0][0], key=standing[0][1])]
    with running(board, sink) as poller:
        pass_time(poller, clock, 100)
    assert len(told(sink.events)) == 3


@pytest.mark.integration
def test_a_gateway_that_ends_before_it_caught_up_does_so_next_time() -> None:
    """What is owed outlives it: the trip is told once, by whoever comes to it."""
    clock, sink = FakeClock(), Memory()
    board = PlayedBoard(clock)
    with running(board, sink) as poller:
        until(lambda: "journal" in "".join(sink.notes.values()), "the journal's end was known")
    clock.now += 100
    moment = board.trip(1)
    clock.now += 100
    stop = board.answer

    def no_files(request: bytes) -> bytes:
        return b"" if request[1] == 0x14 else stop(request)

    board.answer = no_files  # type: ignore[method-assign]
    with running(board, sink) as poller:
        until(lambda: "owed" in "".join(sink.notes.values()) or not poller.alive(), "it was known and owed")
    assert told(sink.events) == []
    board.answer = stop  # type: ignore[method-assign]
    with running(board, sink) as poller:
        until(lambda: told(sink.events) or not poller.alive(), "it was told")
        pass_time(poller, clock, 100)
    ((kind, at),) = told(sink.events)
    assert kind == "trip.overcurrent"
    assert abs(at - seconds(moment)[0]) <= 1


@pytest.mark.integration
def test_a_journal_that_cannot_be_read_leaves_the_number() -> None:
    """A board that knows no function 14h: as many as the counter says, dated by its age."""
    clock, sink = FakeClock(), Memory()
    board = PlayedBoard(clock)
    board.knows_files = False
    with running(board, sink) as poller:
        until(lambda: "boot_count" in "".join(sink.notes.values()), "the counters were known")
    clock.now += 100
    board.trip(3)
    clock.now += 60
    moment = board.trip(3)
    clock.now += 100
    with running(board, sink) as poller:
        until(lambda: told(sink.events) or not poller.alive(), "it was told")
        pass_time(poller, clock, 100)
    ((kind, at),) = told(sink.events)
    assert (kind, abs(at - seconds(moment)[0]) <= 1) == ("trip.overcurrent", True)
    assert sink.events[-1][0].values["unseen"] == 2
