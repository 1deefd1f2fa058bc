"""A sink's delivery: from a real outbox to a place that is away, refuses, or takes everything; nothing is lost."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.config.routes import Route
from gateway.errors import TryAgain
from gateway.outbox import Outbox
from gateway.records import Gap, Message, Reading, Value
from gateway.sinks.delivery import BATCH, SinkDelivery
from gateway.sinks.target import NotNow, Unwanted
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import event, reading


class Place:
    """A target that keeps what it takes. `away` fails everything, `unwanted` are values that it refuses."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.offered: list[int] = []
        self.away: TryAgain | None = None
        self.unwanted: set[float] = set()
        self.refuses_all = False

    def write(self, messages: Sequence[Message]) -> None:
        self.offered.append(len(messages))
        if self.away:
            raise self.away
        if self.refuses_all or any(self._bad(message) for message in messages):
            raise Unwanted("Sink s to http://h: it answered 422.")
        self.taken += messages

    def _bad(self, message: Message) -> bool:
        return any(getattr(r, "values", {}).get("voltage") in self.unwanted for r in message.records)

    def close(self) -> None:
        pass


class Bench:
    """A real outbox and the delivery under test, on a clock that jumps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.place = Place()
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(self.folder, self.clock, [Route(name="s", acks=False, max_delay=0.0)])
        self.sink = SinkDelivery("s", "webhook", self.place, self.outbox, self.clock, lambda: 0.5, tries=3)

    def put(self, *numbers: float) -> None:
        for number in numbers:
            self.outbox.put_reading(reading(voltage=number))
        self.outbox.flush()

    def run(self, steps: int = 40) -> None:
        """Step as its thread would, the clock jumping over the waits."""
        for _ in range(steps):
            self.clock.now += min(self.sink.step(), 20.0)
            self.outbox.flush()

    def values(self) -> list[Value]:
        readings = [r for m in self.place.taken for r in m.records if isinstance(r, Reading)]
        return [reading.values["voltage"] for reading in readings]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_what_is_written_is_delivered(bench: Bench) -> None:
    """Events first, then readings; written once, marked, and counted in the outbox's books."""
    bench.put(1.0, 2.0)
    bench.outbox.accept_event(event(), "k")
    bench.run(3)
    assert [type(m.records[0]).__name__ for m in bench.place.taken] == ["Event", "Reading"]
    stats = bench.outbox.stats()
    assert (stats.accepted, stats.delivered, stats.queued) == (3, 3, 0)
    status = bench.sink.status()
    assert (status.written, status.waiting, status.trouble) == (2, 0, None)
    assert bench.sink.idle()


def test_an_outage_costs_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """While it is away everything waits, tried with back-off and said once; then it comes whole and in order."""
    bench.place.away = TryAgain("Sink s to http://h: connection refused.")
    bench.put(*(float(number) for number in range(600)))
    bench.run(30)
    assert bench.place.taken == []
    assert 10 <= bench.sink.status().retries <= 30
    assert bench.sink.status().trouble == "Sink s to http://h: connection refused."
    assert caplog.text.count("connection refused") <= 3
    bench.place.away = None
    bench.run(20)
    assert bench.values() == [float(number) for number in range(600)]
    assert bench.sink.status().trouble is None


def test_a_place_that_wants_peace_gets_it(bench: Bench) -> None:
    """Retry-After is kept."""
    bench.place.away = NotNow("Sink s to http://h: it answered 429.", 300.0)
    bench.put(1.0)
    bench.sink.step()
    assert bench.sink.step() == pytest.approx(300.0)


def test_what_was_written_and_not_marked_comes_again(bench: Bench) -> None:
    """A kill between the writing and the mark repeats the same message with the same number and content."""
    bench.put(1.0)
    bench.sink.step()  # written, the mark is in memory only
    bench.outbox._connection.close()  # type: ignore[union-attr]  # the process dies here
    bench.open()
    bench.run(3)
    first, second = bench.place.taken
    assert first == second
    assert bench.outbox.stats().queued == 0


def test_the_unwanted_one_is_found_set_aside_and_announced(bench: Bench) -> None:
    """Offered alone and three times, then given up: the others arrive, a gap names it, an event tells, counts agree."""
    bench.place.unwanted = {3.0}
    for number in (1.0, 2.0, 3.0, 4.0):
        for _ in range(256):  # a message is full with so many
            bench.outbox.put_reading(reading(voltage=number))
    bench.outbox.flush()
    bench.run(30)
    assert sorted(set(bench.values())) == [1.0, 2.0, 4.0]
    assert bench.place.offered.count(1) >= 3
    gaps = [m.records[0] for m in bench.place.taken if isinstance(m.records[0], Gap)]
    assert {(gap.stream, gap.first, gap.last) for gap in gaps} == {("messages", 3, 3), ("readings", 513, 768)}
    kinds = [getattr(m.records[0], "kind", None) for m in bench.place.taken]
    assert kinds.count("gateway.sink") == 2  # raised and cleared
    assert (bench.sink.status().set_aside, bench.sink.status().refused) == (1, 0)
    assert bench.outbox.stats().queued == 0


def test_a_place_that_refuses_everything_starts_no_avalanche(bench: Bench) -> None:
    """The announcements are refused too: they are counted, and announced no further. It comes to rest."""
    bench.place.refuses_all = True
    bench.put(1.0, 2.0)
    bench.run(60)
    assert bench.sink.status().set_aside == 3  # the readings, and the event that told of it, raised and cleared
    assert bench.sink.status().refused > 0
    assert bench.outbox.stats().queued == 0
    offered = len(bench.place.offered)
    bench.run(5)
    assert len(bench.place.offered) == offered


def test_a_batch_is_bounded(bench: Bench) -> None:
    """However much waits, one write holds at most so many messages."""
    for number in range(40 * 256):
        bench.outbox.put_reading(reading(number))
    bench.outbox.flush()
    bench.run(6)
    assert max(bench.place.offered) == bench.place.offered[0] == BATCH
    assert sum(bench.place.offered) >= 40
