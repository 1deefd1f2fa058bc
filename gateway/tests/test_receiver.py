"""The receiver's behaviour towards gateways, and its files, without a broker."""

import json
import math
import queue
from pathlib import Path

import msgspec
import pytest

from gateway.errors import ConfigurationError
from gateway.filters import Filter
from gateway.receiver.files import Files
from gateway.receiver.receiver import Receiver
from gateway.receiver.subscriber import Delivery
from gateway.records import ClockState, Gap, Message, Reading, rfc3339
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import Route, event, opened, reading
from gateway.uplink import native


class _Line:
    """See `gateway.receiver.receiver.Line`: what was confirmed and published, in order."""

    def __init__(self) -> None:
        self.arrived: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self.connections = 1
        self.confirmed: list[int] = []
        self.published: list[tuple[str, dict[str, object]]] = []

    def confirm(self, delivery: Delivery) -> None:
        self.confirmed.append(delivery.mid)

    def publish(self, topic: str, payload: bytes) -> bool:
        self.published.append((topic.rsplit("/", 1)[1], json.loads(payload)))
        return True

    def asked(self, kind: str) -> list[dict[str, object]]:
        return [content for found, content in self.published if found == kind]


class _Bench:
    def __init__(self, folder: Path | None) -> None:
        self.now = 100.0
        self.line = _Line()
        self.files = Files(folder) if folder else None
        self.receiver = Receiver(self.line, self.files, lambda: self.now)

    def send(self, *seqs: int) -> None:
        for seq in seqs:
            self.arrive(Message(epoch="e", seq=seq, sent=0, boot="b", first=seq, records=(reading(seq),)))
        self.receiver.step(0)

    def arrive(self, message: Message) -> None:
        kind, payload = native.encode(message)
        self.line.arrived.put(Delivery(f"gewu/s/g/{kind}", payload, 1, message.seq))

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.receiver.step(0)

    def close(self) -> None:
        if self.files:
            self.files.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "received"


def test_acknowledges_what_is_on_disk_up_to_the_first_hole(folder: Path) -> None:
    """Cumulative, a few a second, after the files have the lines; a duplicate is answered again."""
    bench = _Bench(folder)
    bench.send(1, 2, 4)
    bench.later(1)
    assert bench.line.asked("acks")[-1] == {"epoch": "e", "seq": 2}
    assert len((folder / "readings.jsonl").read_text().splitlines()) == 3
    count = len(bench.line.asked("acks"))
    bench.later(0.01)
    assert len(bench.line.asked("acks")) == count
    bench.later(1)
    bench.send(2)
    bench.later(1)
    assert bench.line.asked("acks")[count:] == [{"epoch": "e", "seq": 2}]
    assert bench.line.confirmed == [1, 2, 4, 2]
    bench.close()


def test_asks_for_a_hole_that_does_not_fill(folder: Path) -> None:
    """Not at once, then again ever more rarely, and no more when it is filled or given up."""
    bench = _Bench(folder)
    bench.send(1, 4)
    assert bench.line.asked("replay") == []
    for _ in range(100):
        bench.later(1)
    asked = bench.line.asked("replay")
    assert set(map(json.dumps, asked)) == {'{"epoch": "e", "from": 2, "to": 3}'}
    assert 4 <= len(asked) <= 6
    gap = Gap(stream="messages", first=2, last=3, start=0, end=0, reason="no longer kept")
    bench.arrive(Message(epoch="e", seq=5, sent=0, boot="", first=1, records=(gap,)))
    bench.later(1)
    bench.later(100)
    assert len(bench.line.asked("replay")) == len(asked)
    assert bench.line.asked("acks")[-1] == {"epoch": "e", "seq": 5}
    assert bench.receiver.report()["lost"] == 2
    bench.close()


def test_a_new_connection_hears_where_we_stand(folder: Path) -> None:
    """A gateway that waits for an acknowledgement gets it without sending anything again."""
    bench = _Bench(folder)
    bench.send(1)
    bench.later(1)
    count = len(bench.line.asked("acks"))
    bench.line.connections = 2
    bench.later(1)
    assert len(bench.line.asked("acks")) == count + 1
    bench.close()


def test_without_a_folder_nothing_is_acknowledged() -> None:
    """What is not kept is not safe."""
    bench = _Bench(None)
    bench.send(1, 2)
    bench.later(5)
    assert bench.line.asked("acks") == []
    assert bench.receiver.report()["delivered"] == 2


def test_half_a_line_is_cut_off_and_comes_again(folder: Path) -> None:
    """A power cut in a write: the torn line was never acknowledged, the rest is read back, duplicates included."""
    bench = _Bench(folder)
    bench.send(1, 2, 3, 3)
    bench.arrive(Message(epoch="e", seq=4, sent=0, boot="b", first=1, records=(event(),)))
    bench.later(1)
    bench.close()
    file = folder / "readings.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    again = _Bench(folder)
    report = again.receiver.report()
    assert (report["delivered"], report["duplicates"], report["lost"]) == (3, 1, 1)
    again.send(3)
    assert again.receiver.report()["lost"] == 0
    assert [json.loads(line)["seq"] for line in file.read_text().splitlines()] == [1, 2, 3]
    again.close()


def test_noise_is_rejected_and_counted(folder: Path) -> None:
    """Broken payloads and foreign topics change nothing and stop nothing."""
    bench = _Bench(folder)
    for topic, payload in (("gewu/s/g/readings", b"\xff"), ("gewu/s/g/events", b"{}"), ("gewu/s/g/status", b"[]")):
        bench.line.arrived.put(Delivery(topic, payload, 1, 9))
    bench.send(1)
    report = bench.receiver.report()
    assert (report["rejected"], report["delivered"]) == (3, 1)
    bench.close()


def test_one_receiver_a_folder(folder: Path) -> None:
    """A second one is refused with a sentence."""
    bench = _Bench(folder)
    with pytest.raises(ConfigurationError, match="Another receiver"):
        Files(folder)
    bench.close()


def test_events_behind_a_filter_are_complete_by_their_messages(tmp_path: Path) -> None:
    """What the filter keeps back leaves numbers out and nothing missing; sent again it is the same."""
    route = Route(max_delay=0, filter=Filter(kinds=("events",), grades=(1,)))
    outbox = opened(tmp_path / "data", FakeClock(), route)
    for number in range(6):
        graded = msgspec.structs.replace(event(f"e{number}"), grade=1 + number % 2)
        outbox.accept_event(graded, "k")
    messages = outbox.next_messages("county", 10, 10)
    bench = _Bench(tmp_path / "received")
    for message in messages:
        bench.arrive(message)
    bench.later(1)
    report = bench.receiver.report()
    assert (report["delivered"], report["lost"], report["rejected"]) == (3, 0, 0)
    assert [message.first for message in messages] == [1, 3, 5]
    again = [outbox.message("county", message.seq) for message in messages]
    assert [native.encode(message) for message in again if message] == [native.encode(message) for message in messages]
    bench.close()
    outbox.close()


def test_the_compact_form_is_kept_as_what_it_says(folder: Path) -> None:
    """Readings by column and readings as JSON leave the same line; a damaged one is refused and named."""
    records = tuple(reading(number) for number in range(1, 20))
    message = Message(epoch="e", seq=1, sent=0, boot="b", first=1, records=records)
    kind, small = native.encode(message, small=True)
    bench = _Bench(folder)
    bench.line.arrived.put(Delivery("gewu/s/g/readings", small[:-3], 1, 1))
    endless = msgspec.structs.replace(message, records=(reading(1, voltage=math.inf),))
    bench.line.arrived.put(Delivery("gewu/s/g/readings", native.encode(endless, small=True)[1], 1, 1))
    bench.line.arrived.put(Delivery("gewu/s/g/readings", small, 1, 2))
    bench.receiver.step(0)
    report = bench.receiver.report()
    assert (kind, report["delivered"], report["lost"], report["rejected"]) == ("readings", 19, 0, 2)
    bench.close()
    (line,) = (folder / "readings.jsonl").read_bytes().splitlines()
    kept = {name: value for name, value in json.loads(line).items() if name not in ("got", "site", "gateway")}
    assert kept == json.loads(native.encode(message)[1])
    again = _Bench(folder)
    assert again.receiver.report()["delivered"] == 19
    again.close()


class _DarkClock(FakeClock):
    """It begins in 1970, until a time server answers."""

    def __init__(self) -> None:
        super().__init__(wall_ms=3_600_000)
        self.worth: ClockState = "untrusted"

    def state(self) -> ClockState:
        return self.worth

    def answered(self, wall_ms: int) -> None:
        self._start += wall_ms - self.wall_ms()
        self.worth = "trusted"


def test_a_machine_without_a_clock_is_read_with_true_times(tmp_path: Path) -> None:
    """From its outbox over the wire into the export: what was sent in the dark has its true time there."""
    clock = _DarkClock()
    outbox = opened(tmp_path / "data", clock, Route(acks=True, max_delay=0))
    bench = _Bench(tmp_path / "received")

    def tell(count: int) -> None:
        for _ in range(count):
            clock.now += 1
            at, mono, worth = clock.wall_ms(), clock.mono_ms(), clock.state()
            outbox.put_reading(Reading(device="b", at=at, mono=mono, clock=worth, values={"x": 1.5}))
        outbox.flush()
        for message in outbox.next_messages("county", 50, 50):
            bench.arrive(message)
        bench.later(1)

    tell(3)
    now = 1_795_000_000_000
    clock.answered(now)
    outbox.flush()
    tell(2)
    report = bench.receiver.report()
    assert (report["delivered"], report["lost"], report["rejected"]) == (5, 0, 0)
    bench.close()
    found = [(row["at"], row["clock"]) for row in Files(tmp_path / "received", reading=True).records("readings")]
    assert found == [
        *((rfc3339(now - 1000 * ago), "corrected") for ago in (2, 1, 0)),
        *((rfc3339(now + 1000 * later), "trusted") for later in (1, 2)),
    ]
    outbox.close()
