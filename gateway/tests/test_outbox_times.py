"""A machine without a clock: records keep their order, their times are corrected once the time is known, once."""

from pathlib import Path

import msgspec
import pytest

from gateway import own_events
from gateway.clock import SystemClock, Trust
from gateway.outbox import Outbox
from gateway.records import ClockState, Correction, Event, Message, OpenEvent, Reading
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import Route
from gateway.uplink import native
from gateway.uplink.bulletin import Bulletin

_NOW = 1_795_000_000_000
_ROUTE = Route(acks=True, max_delay=0)


class _Clock(FakeClock):
    """A clock that begins in 1970, and whose wall time and worth a test can set."""

    def __init__(self) -> None:
        super().__init__(wall_ms=3_600_000)
        self.worth: ClockState = "untrusted"

    def state(self) -> ClockState:
        return self.worth

    def set(self, wall_ms: int, worth: ClockState) -> None:
        self._start += wall_ms - self.wall_ms()
        self.worth = worth


def _reading(clock: _Clock, number: int) -> Reading:
    return Reading(
        device="b", at=clock.wall_ms(), mono=clock.mono_ms(), clock=clock.state(), values={"n": number}
    )  # fmt: skip


def _event(clock: _Clock, name: str) -> Event:
    return Event(
        id=name, kind="trip.remote", grade=1, device="b", place="p", raised=clock.wall_ms(), cleared=None,
        mono=clock.mono_ms(), clock=clock.state(),
    )  # fmt: skip


def _put(outbox: Outbox, clock: _Clock, start: int, count: int) -> None:
    for number in range(start, start + count):
        outbox.put_reading(_reading(clock, number))
        clock.now += 1
    outbox.flush()


def _take(outbox: Outbox) -> list[Message]:
    return outbox.next_messages("county", 50, 50)


def _readings(messages: list[Message]) -> list[Reading]:
    return [record for message in messages for record in message.records if isinstance(record, Reading)]


def test_times_are_corrected_once_the_time_is_known(tmp_path: Path) -> None:
    """What was sent is told about, what was not is sent with true times; a sent message stays what it was."""
    clock = _Clock()
    outbox = Outbox(tmp_path, clock, [_ROUTE])
    _put(outbox, clock, 0, 5)
    sent = _take(outbox)
    assert [r.clock for r in _readings(sent)] == ["untrusted"] * 5
    _put(outbox, clock, 5, 3)
    outbox.accept_event(_event(clock, "dark"), "k")
    clock.set(_NOW, "trusted")
    outbox.flush()
    _put(outbox, clock, 8, 2)
    later = _take(outbox)
    (told,) = [m for m in later if isinstance(m.records[0], Correction)]
    correction = told.records[0]
    assert isinstance(correction, Correction)
    for reading in _readings(sent):
        assert correction.start <= reading.at <= correction.end
        assert reading.at + correction.offset_ms == _NOW - (8 - int(reading.values["n"])) * 1000
    assert [(r.at, r.clock) for r in _readings(later)] == [
        *[(_NOW - (8 - n) * 1000, "corrected") for n in (5, 6, 7)],
        (_NOW, "trusted"),
        (_NOW + 1000, "trusted"),
    ]
    (event,) = [r for m in later for r in m.records if isinstance(r, Event)]
    assert (event.raised, event.clock) == (_NOW, "corrected")
    (message,) = [m for m in later if event in m.records]
    wire = native.parse(*native.encode(message))
    assert isinstance(wire, native.WireEvent)
    assert (wire.clock, wire.boot) == ("corrected", "boot-1")
    kind, payload = native.encode(told)
    assert isinstance(native.parse(kind, payload), native.WireCorrection)
    outbox.close()
    again = Outbox(tmp_path, clock, [_ROUTE])
    assert [again.message("county", m.seq) for m in (*sent, *later)] == [*sent, *later]
    assert _take(again) == []


def test_where_a_correction_has_no_word_the_records_go_once_more(tmp_path: Path) -> None:
    """For Sparkplug and ThingsBoard: what was sent under an untrusted time goes again as new messages with the true
    one, events too, over a restart; the balance holds, and who understands corrections gets nothing twice."""
    clock = _Clock()
    routes = [Route(name="peer", max_delay=0, repeats=True), _ROUTE]
    outbox = Outbox(tmp_path, clock, routes)

    def take() -> list[Message]:
        found = outbox.next_messages("peer", 50, 50)
        outbox.mark_delivered("peer", [message.seq for message in found])
        return found

    _put(outbox, clock, 0, 5)
    outbox.accept_event(_event(clock, "dark"), "k")
    before = take()
    _take(outbox)
    assert {r.clock for m in before for r in m.records if isinstance(r, Reading | Event)} == {"untrusted"}
    _put(outbox, clock, 5, 2)
    outbox.close()
    outbox = Outbox(tmp_path, clock, routes)
    clock.set(_NOW, "trusted")
    outbox.flush()
    assert (stats := outbox.stats()).accepted == stats.delivered + stats.queued + stats.dropped
    again = take()
    times = sorted((r.at, r.clock) for r in _readings(again))  # what waited goes before what was sent before
    assert times == [(_NOW - (7 - n) * 1000, "corrected") for n in range(7)]
    (event,) = [r for m in again for r in m.records if isinstance(r, Event)]
    assert (event.id, event.raised, event.clock) == ("dark", _NOW - 2000, "corrected")
    assert not {m.seq for m in again} & {m.seq for m in before}
    assert [r.values["n"] for r in _readings(_take(outbox))] == [5, 6]
    assert take() == []
    outbox.close()
    outbox = Outbox(tmp_path, clock, routes)
    assert take() == []


def test_a_step_while_the_time_is_unknown_is_a_stretch_of_its_own(tmp_path: Path) -> None:
    """An hour forward by hand: each stretch is corrected by its own difference, also over a restart of the gateway."""
    clock = _Clock()
    outbox = Outbox(tmp_path, clock, [_ROUTE])
    _put(outbox, clock, 0, 3)
    outbox.close()
    outbox = Outbox(tmp_path, clock, [_ROUTE])
    clock.set(clock.wall_ms() + 3_600_000, "untrusted")
    _put(outbox, clock, 3, 3)
    sent = _readings(_take(outbox))
    clock.set(_NOW, "trusted")
    outbox.flush()
    told = [r for m in _take(outbox) for r in m.records if isinstance(r, Correction)]
    assert len(told) == 2
    for reading in sent:
        (fits,) = [c for c in told if c.start <= reading.at <= c.end]
        assert reading.at + fits.offset_ms == _NOW - (6 - int(reading.values["n"])) * 1000


def test_an_event_that_ends_in_the_dark_bends_no_times(tmp_path: Path) -> None:
    """Its end carries the moment of its end: stamped with that of its beginning it looked like a step of the clock."""
    clock = _Clock()
    outbox = Outbox(tmp_path, clock, [_ROUTE])
    bulletin = Bulletin("county", outbox, clock)
    bulletin.set("budget", "gateway.uplink", 3, {})
    _put(outbox, clock, 0, 3)
    bulletin.set("budget", "gateway.uplink", None, {})
    _put(outbox, clock, 3, 3)
    sent = _take(outbox)
    clock.set(_NOW, "trusted")
    outbox.flush()
    (told,) = [r for m in _take(outbox) for r in m.records if isinstance(r, Correction)]
    for reading in _readings(sent):
        assert reading.at + told.offset_ms == _NOW - (6 - int(reading.values["n"])) * 1000
    _, ended = [r for m in sent for r in m.records if isinstance(r, Event)]
    assert ended.cleared is not None
    assert (ended.raised + told.offset_ms, ended.cleared + told.offset_ms) == (_NOW - 6000, _NOW - 3000)


def test_an_event_told_by_its_age_bends_no_times(tmp_path: Path) -> None:
    """A trip ten minutes ago is no step of the clock; sent before the time is known or after, it gets its true time."""
    clock = _Clock()
    clock.now += 900
    outbox = Outbox(tmp_path, clock, [_ROUTE])
    _put(outbox, clock, 0, 2)
    old = msgspec.structs.replace(_event(clock, "trip"), raised=clock.wall_ms() - 600_000)
    outbox.accept_event(old, "1")
    _put(outbox, clock, 2, 2)
    sent = _take(outbox)
    outbox.accept_event(msgspec.structs.replace(old, id="another", mono=clock.mono_ms()), "2")
    clock.set(_NOW, "trusted")
    outbox.flush()
    later = _take(outbox)
    (told,) = [r for m in later for r in m.records if isinstance(r, Correction)]
    for reading in _readings(sent):
        assert reading.at + told.offset_ms == _NOW - (4 - int(reading.values["n"])) * 1000
    (event,) = [r for m in later for r in m.records if isinstance(r, Event)]
    assert (event.raised, event.clock) == (_NOW - 602_000, "corrected")


@pytest.mark.parametrize("restart", [False, True])
def test_an_event_that_ends_in_the_light_began_at_its_true_time(tmp_path: Path, restart: bool) -> None:
    """Both of its records say when it began, whether its end comes before the others are corrected or after."""
    clock = _Clock()
    outbox = Outbox(tmp_path, clock, [_ROUTE])
    dark, later = _event(clock, "dark"), _event(clock, "later")
    outbox.accept_events([OpenEvent(event=dark, key="k"), OpenEvent(event=later, key="k")])
    assert [one.event for one in outbox.open_events()] == [dark, later]
    clock.now += 60
    clock.set(_NOW, "trusted")
    if restart:
        outbox.close()
        outbox = Outbox(tmp_path, clock, [_ROUTE])
    outbox.accept_event(own_events.ended(dark, clock), "k")
    outbox.flush()
    outbox.accept_event(own_events.ended(later, clock), "k")
    ends = [r for m in _take(outbox) for r in m.records if isinstance(r, Event) and r.cleared is not None]
    assert [(one.id, one.raised, one.cleared, one.clock) for one in ends] == [
        (name, _NOW - 60_000, _NOW, "trusted") for name in ("dark", "later")
    ]


def test_a_step_of_a_known_time_marks_and_still_corrects(tmp_path: Path) -> None:
    """Known once, the true time stays known whatever the wall clock does; nothing is told twice."""
    clock = _Clock()
    outbox = Outbox(tmp_path, clock, [_ROUTE])
    _put(outbox, clock, 0, 1)
    clock.set(_NOW, "trusted")
    outbox.flush()
    _take(outbox)
    clock.set(_NOW - 3_600_000, "untrusted")
    _put(outbox, clock, 1, 2)
    clock.set(_NOW + 2000, "trusted")
    outbox.flush()
    messages = _take(outbox)
    assert [(r.at, r.clock) for r in _readings(messages)] == [(_NOW, "corrected"), (_NOW + 1000, "corrected")]
    assert len(messages) == 1


@pytest.mark.parametrize(
    ("keeps_time", "looks", "worth"),
    [
        (True, [(_NOW, 0, False)], "trusted"),
        (True, [(0, 0, False)], "untrusted"),
        (False, [(_NOW, 0, False)], "untrusted"),
        (False, [(_NOW, 0, True)], "trusted"),
        (False, [(_NOW, 0, True), (_NOW + 60_000, 60_000, False)], "trusted"),
        (True, [(_NOW, 0, False), (_NOW + 3_660_000, 60_000, False)], "untrusted"),
        (True, [(_NOW, 0, False), (_NOW - 3_540_000, 60_000, False), (_NOW + 61_000, 61_000, True)], "trusted"),
    ],
    ids=["pc", "1970", "pi", "pi synchronised", "pi, server away", "stepped", "stepped and synchronised"],
)
def test_what_a_clock_is_worth(keeps_time: bool, looks: list[tuple[int, int, bool]], worth: str) -> None:
    """A clock without power is believed once it was set; one that jumps is not, until it is synchronised."""
    trust = Trust(keeps_time)
    assert [trust.state(*look) for look in looks][-1] == worth


def test_the_machine_s_clock_answers() -> None:
    """The kernel is asked without harm."""
    assert SystemClock().state() in ("trusted", "untrusted")
