"""A backlog goes beside the live readings: nothing waits for it, nothing is lost, and packed it leaves as it lies."""

from pathlib import Path

import pytest

from gateway import columns
from gateway.outbox import Outbox
from gateway.records import Message, Reading
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import Route, opened, reading

_MANY = 9000


def _fill(outbox: Outbox, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        outbox.put_reading(reading(number))
        if number % 2000 == 1999:
            outbox.flush()
    outbox.flush()


def _numbers(messages: list[Message]) -> list[int]:
    """The numbers of all readings in `messages`, which their times agree with."""
    found = []
    for message in messages:
        for number, record in enumerate(message.records, message.first):
            assert isinstance(record, Reading)
            assert record.mono == number - 1
            found.append(number)
    return found


def _deliver(outbox: Outbox, most: int = 1000) -> list[Message]:
    """Everything that is to be sent, in windows of four, delivered."""
    taken: list[Message] = []
    while len(taken) < most and (messages := outbox.next_messages("county", 4, 4)):
        taken += messages
        outbox.mark_delivered("county", [message.seq for message in messages])
    return taken


@pytest.mark.parametrize("whole", [False, True])
def test_live_readings_do_not_wait_for_a_backlog(tmp_path: Path, whole: bool) -> None:
    """A new reading is in the next message, also after a restart; in the end each number came once."""
    clock = FakeClock()
    route = Route(max_delay=0, whole_blocks=whole)
    outbox = opened(tmp_path, clock, route)
    _fill(outbox, _MANY)
    taken = outbox.next_messages("county", 1, 1)
    assert outbox.due_in("county") == 0
    _fill(outbox, 1, _MANY)
    (live,) = outbox.next_messages("county", 1, 1)
    assert (live.first, len(live.records)) == (_MANY + 1, 1)
    assert outbox.stats().queued == _MANY + 1
    outbox.close()
    outbox = opened(tmp_path, clock, route)
    _fill(outbox, 1, _MANY + 1)
    (again,) = outbox.next_messages("county", 1, 1)
    assert again.first == _MANY + 2
    taken += [live, again]
    outbox.mark_delivered("county", [message.seq for message in taken])
    clock.now += 8000
    outbox.flush()
    taken += _deliver(outbox)
    assert sorted(_numbers(taken)) == list(range(1, _MANY + 3))
    assert [message.seq for message in taken] == list(range(1, len(taken) + 1))
    assert (outbox.stats().queued, outbox.due_in("county")) == (0, None)


def test_what_is_behind_is_not_forgotten(tmp_path: Path) -> None:
    """Live messages are long delivered and forgotten; the backlog below them stays until it went too."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock, Route(acks=True, max_delay=0))
    _fill(outbox, _MANY)
    first = outbox.next_messages("county", 1, 1)
    _fill(outbox, 300, _MANY)
    outbox.acknowledge("county", outbox.epoch, first[0].seq)
    live = outbox.next_messages("county", 1, 1)
    outbox.acknowledge("county", outbox.epoch, live[0].seq)
    clock.now += 60
    while outbox._tend():
        pass
    taken = first + live
    while messages := outbox.next_messages("county", 4, 4):
        taken += messages
        outbox.acknowledge("county", outbox.epoch, messages[-1].seq)
    assert sorted(_numbers(taken)) == list(range(1, _MANY + 301))
    clock.now += 60
    while outbox._tend():
        pass
    assert outbox.export(tmp_path / "out") == 0


def test_a_second_outage_is_behind_as_well(tmp_path: Path) -> None:
    """Two backlogs, one after the other: both come, the older first."""
    outbox = opened(tmp_path, FakeClock(), Route(max_delay=0))
    _fill(outbox, 5000)
    taken = outbox.next_messages("county", 1, 1)
    _fill(outbox, 5000, 5000)
    taken += outbox.next_messages("county", 1, 1)
    assert taken[-1].first == taken[0].first + len(taken[0].records)
    taken += _deliver(outbox)
    assert sorted(_numbers(taken)) == list(range(1, 10_001))


def test_a_large_block_leaves_as_it_lies_and_again(tmp_path: Path) -> None:
    """Not unpacked on its way; asked for again it is the same content, also when it was packed anew meanwhile."""
    clock = FakeClock()
    outbox = opened(tmp_path, clock, Route(max_delay=0, whole_blocks=True))
    _fill(outbox, _MANY)
    messages = outbox.next_messages("county", 20, 20)
    assert {type(message.records) for message in messages} == {columns.Packed, tuple}
    assert len(messages) <= 6
    assert _numbers(messages) == list(range(1, _MANY + 1))
    while outbox._tend():
        pass
    assert [outbox.message("county", message.seq) for message in messages] == messages
    assert outbox.resend("county", outbox.epoch, 1, 2) == [1, 2]


def test_a_backlog_that_begins_inside_a_block_leaves_whole_from_the_next_one_on(tmp_path: Path) -> None:
    """What was sent before an outage ends anywhere; only the rest of that block is unpacked, not all that follow."""
    outbox = opened(tmp_path, FakeClock(), Route(max_delay=0, whole_blocks=True))
    _fill(outbox, 1)
    sent = outbox.next_messages("county", 1, 1)
    _fill(outbox, 4 * 4200, 1)
    late = outbox.next_messages("county", 100, 100)
    whole = [message for message in late if isinstance(message.records, columns.Packed)]
    assert sum(len(message.records) for message in whole) > 2 * 4096
    assert sorted(_numbers(sent + late)) == list(range(1, 4 * 4200 + 2))
