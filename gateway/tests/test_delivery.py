"""Delivery against a broker that loses confirmations, forgets, refuses and hangs up: nothing is lost."""

import json
from pathlib import Path

import pytest

from gateway.tests.delivery_bench import RESERVED, WINDOW, DeliveryBench
from gateway.tests.outbox_samples import event, reading
from gateway.uplink import native


@pytest.fixture
def plain(tmp_path: Path) -> DeliveryBench:
    return DeliveryBench(tmp_path, acks=False)


@pytest.fixture
def acked(tmp_path: Path) -> DeliveryBench:
    return DeliveryBench(tmp_path, acks=True)


def test_the_birth_of_a_connection(plain: DeliveryBench) -> None:
    """The retained status, the same topic's last will, both subscriptions, then health once a minute."""
    plain.step()
    (topic, payload, retained), *_ = plain.broker.published
    assert (topic, retained, json.loads(payload)["state"]) == ("gewu/s/g/status", True, "online")
    assert set(json.loads(payload)) == {"state", "since", "version", "boot"}
    assert plain.broker.will is not None
    will = plain.broker.will
    assert (will.topic, will.retain, json.loads(will.payload)["state"]) == ("gewu/s/g/status", True, "offline")
    assert plain.broker.link.subscribed == [f"gewu/s/g/{kind}" for kind in ("acks", "replay", "inbox", "commands/+")]
    for _ in range(5):
        plain.clock.now += 30
        plain.step()
    assert len(plain.published("health")) == 3


def test_at_most_a_window_is_in_flight_and_places_are_kept_for_events(plain: DeliveryBench) -> None:
    """With no confirmation readings stop short of the window, and an alarm still goes at once."""
    plain.broker.confirms = False
    plain.fill(10)
    plain.step(3)
    assert len(plain.seqs()) == WINDOW - RESERVED
    plain.outbox.accept_event(event(), "k")
    plain.step()
    assert plain.published()[-1][0] == "events"
    assert plain.delivery.status().in_flight == WINDOW - RESERVED + 1


def test_a_small_receive_maximum_is_kept(plain: DeliveryBench) -> None:
    """A broker that grants two publications at a time gets no more."""
    plain.broker.window = 2
    plain.broker.confirms = False
    plain.fill(5)
    plain.step(3)
    assert len(plain.seqs()) == 1


def test_lost_confirmations_repeat_at_most_the_window(plain: DeliveryBench) -> None:
    """PUBACKs dropped, then the link: everything arrives, duplicates are bounded by the window."""
    plain.fill(5)
    plain.broker.confirms = False
    plain.step(2)
    plain.broker.link.lose()
    plain.broker.confirms = True
    plain.step()
    plain.clock.now += 1
    plain.step(9)
    report = plain.receive().report()
    assert (report["lost"], report["delivered"]) == (0, 5 * 256)
    assert 0 < report["duplicates"] <= WINDOW
    assert plain.outbox.stats().queued == 0


def test_five_hundred_disconnects_in_ten_minutes(plain: DeliveryBench) -> None:
    """C4: some with a message under way: nothing is lost, such a message goes once more, no retry waits longer than
    the first of an outage. In real time, with threads and files counted: `gewu bench faults`."""
    began = plain.clock.monotonic()
    for number in range(500):
        while not plain.broker.links or plain.broker.link.closed:
            plain.clock.now += plain.step() if plain.broker.links else 0.0
            plain.step()
        if number % 10 == 0:
            plain.outbox.put_reading(reading(number))
            plain.outbox.flush()
            plain.broker.confirms = False
        plain.step()
        plain.broker.confirms = True
        plain.broker.link.lose()
        plain.step()
    assert plain.clock.monotonic() - began <= 600
    plain.clock.now += 1
    plain.step(5)
    report = plain.receive().report()
    assert (report["delivered"], report["duplicates"], report["lost"]) == (50, 50, 0)
    waits = [b - a for a, b in zip(plain.broker.attempts, plain.broker.attempts[1:], strict=False)]
    assert (len(waits), max(waits) <= 1.0) == (500, True)
    assert (plain.outbox.stats().queued, plain.delivery.status().in_flight) == (0, 0)


def test_a_day_in_a_black_hole(plain: DeliveryBench) -> None:
    """C1: for 24 h every connection is taken and nothing comes back: each is given up for silence, what is read
    meanwhile waits, and all of it arrives once somebody answers."""
    plain.broker.confirms = False
    hours = 24
    ends = plain.clock.monotonic() + hours * 3600
    while plain.clock.monotonic() < ends:
        plain.clock.now += max(1.0, min(plain.step(), 60.0))
        if int(plain.clock.now) % 3600 < 60:
            plain.outbox.put_reading(reading(int(plain.clock.now)))
            plain.outbox.flush()
    accepted = plain.outbox.stats().accepted
    assert plain.delivery.status().reconnects > hours
    plain.broker.confirms = True
    for _ in range(50):
        plain.clock.now += max(0.01, min(plain.step(), 60.0))
    report = plain.receive().report()
    assert (report["delivered"], report["lost"]) == (accepted, 0)
    assert plain.outbox.stats().queued == 0


def test_a_repeat_is_the_same_bytes(plain: DeliveryBench) -> None:
    """What is sent again has the number and the bytes that it had."""
    plain.fill(1)
    plain.broker.confirms = False
    plain.step()
    plain.broker.link.lose()
    plain.step()
    plain.clock.now += 1
    plain.outbox.put_reading(reading(999))
    plain.step()
    first, second = [payload for topic, payload, _ in plain.broker.published if b'"seq":1,' in payload]
    assert first == second


def test_retries_back_off_and_say_why(plain: DeliveryBench, caplog: pytest.LogCaptureFixture) -> None:
    """A refusing broker: the sentence stands in the status and once in the log; the first retry is within 1 s."""
    plain.broker.refuses = "Uplink county to mqtt://b:1883: the broker refuses user 'x'."
    while len(plain.broker.attempts) < 8:
        plain.clock.now += plain.step()
    waits = [b - a for a, b in zip(plain.broker.attempts, plain.broker.attempts[1:], strict=False)]
    assert waits[0] <= 1.0
    assert waits == sorted(waits)
    assert waits[-1] <= 15
    assert plain.delivery.status().trouble == plain.broker.refuses
    assert caplog.text.count("refuses user") == 1
    plain.broker.refuses = None
    plain.clock.now += 15
    plain.step()
    assert plain.delivery.status().trouble is None


def test_a_forgetful_broker_costs_nothing_with_acks(acked: DeliveryBench) -> None:
    """The broker confirms and forgets: what the receiver did not acknowledge is sent again after the time-out."""
    acked.fill(2)
    acked.step(2)
    assert acked.seqs() == [1, 2]
    acked.counted = len(acked.broker.published)  # forgotten
    assert acked.outbox.stats().queued == 512
    acked.clock.now += 5.1
    acked.step(2)
    acked.acknowledge(acked.receive().epoch("s/g", acked.outbox.epoch).safe())
    acked.step()
    assert acked.ledger.report()["delivered"] == 512
    assert acked.outbox.stats().queued == 0


def test_with_nobody_there_only_the_oldest_is_repeated(acked: DeliveryBench) -> None:
    """The first time-out repeats all, later ones ask with one message, ever more rarely; one answer resumes."""
    acked.fill(3)
    acked.step(2)
    for _ in range(600):
        acked.clock.now += 1
        acked.step()
    assert acked.seqs()[:6] == [1, 2, 3, 1, 2, 3]
    asked = acked.seqs()[6:]
    assert set(asked) == {1}
    assert 2 <= len(asked) <= 7
    acked.acknowledge(1)
    acked.step()
    acked.clock.now += 5.1
    acked.step(2)
    assert acked.seqs()[-2:] == [2, 3]


def test_without_acknowledgement_readings_stop_and_alarms_go_on(acked: DeliveryBench) -> None:
    """The unacknowledged are bounded, yet an event leaves at once."""
    acked.fill(66)
    acked.step(60)
    assert len(acked.seqs()) == 64
    acked.outbox.accept_event(event(), "k")
    acked.step()
    assert acked.published()[-1][0] == "events"


def test_a_reconnect_sends_events_before_the_rest(acked: DeliveryBench) -> None:
    """Everything unacknowledged goes again, alarms first."""
    acked.fill(2)
    acked.step(2)
    acked.outbox.accept_event(event(), "k")
    acked.step()
    acked.broker.link.lose()
    acked.step()
    acked.clock.now += 1
    before = len(acked.seqs())
    acked.step(3)
    assert acked.seqs()[before:] == [3, 1, 2]


def test_replay(plain: DeliveryBench) -> None:
    """What is asked for and still kept goes again; what was never sent is not invented."""
    plain.fill(3)
    plain.step(3)
    plain.broker.link.say("gewu/s/g/replay", native.encode_replay(plain.outbox.epoch, 2, 900))
    plain.step(2)
    assert plain.seqs() == [1, 2, 3, 2, 3]


@pytest.mark.parametrize(
    ("topic", "payload", "retained"),
    [
        ("gewu/s/g/acks", b'{"epoch": "EPOCH", "seq": 1}', True),
        ("gewu/s/g/acks", b'{"epoch": "EPOCH", "seq": 99}', False),
        ("gewu/s/g/acks", b'{"epoch": "other", "seq": 1}', False),
        ("gewu/s/g/acks", b'{"epoch": "EPOCH", "seq": -1}', False),
        ("gewu/s/g/acks", b"\xff\x00", False),
        ("gewu/s/g/replay", b'{"epoch": "EPOCH", "from": 1, "to": 1}', True),
        ("gewu/s/g/replay", b'{"epoch": "EPOCH", "from": 2, "to": 1}', False),
        ("gewu/s/g/commands", b"{}", False),
    ],
)
def test_wrong_requests_are_counted_and_ignored(
    acked: DeliveryBench, topic: str, payload: bytes, retained: bool
) -> None:
    """Retained, foreign, impossible and broken requests change nothing and are counted."""
    acked.fill(1)
    acked.step(2)
    acked.broker.link.say(topic, payload.replace(b"EPOCH", acked.outbox.epoch.encode()), retained)
    before = acked.seqs()
    acked.step(2)
    assert acked.seqs() == before
    assert acked.outbox.stats().delivered == 0
    assert acked.delivery.status().refused == 1


def test_the_wait_is_no_spin(acked: DeliveryBench) -> None:
    """With a full window, or nobody acknowledging, the thread sleeps."""
    acked.fill(80)
    acked.step(60)
    assert acked.step() > 0.01


def test_goodbye_is_a_retained_offline(plain: DeliveryBench) -> None:
    """A clean stop publishes offline and waits for its confirmation."""
    plain.step()
    token = plain.delivery.goodbye()
    assert token is not None
    topic, payload, retained = plain.broker.published[-1]
    assert (topic, retained, json.loads(payload)["state"]) == ("gewu/s/g/status", True, "offline")
    assert plain.delivery.confirmed(token)
    plain.delivery.close()
    assert plain.broker.link.closed


def acknowledged_at(bench: DeliveryBench, seq: int, at: str) -> None:
    bench.broker.link.say("gewu/s/g/acks", json.dumps({"epoch": bench.outbox.epoch, "seq": seq, "at": at}).encode())
    bench.step(2)


@pytest.mark.parametrize("trusted", [True, False])
def test_the_time_of_an_answer_is_told_where_it_may_be_believed(tmp_path: Path, trusted: bool) -> None:
    """With when that message first left: an answer that a broker kept for us, to something long sent, is of any age.
    Without TLS only where the configuration says so."""
    bench = DeliveryBench(tmp_path, acks=True, trust_time=trusted)
    told: list[tuple[int, int, int]] = []
    bench.delivery.hear_time(lambda at, left, now: told.append((at, left, now)))
    bench.fill(2)
    bench.step(3)
    bench.clock.now += 1.5
    acknowledged_at(bench, 1, "2026-11-18T11:06:40.000Z")
    assert told == ([(1_795_000_000_000, 100_000, 101_500)] if trusted else [])
    bench.clock.now += 40
    bench.broker.link.lose("gone")
    bench.step()
    bench.clock.now += 10
    bench.step(3)
    acknowledged_at(bench, 2, "2026-11-18T11:06:41.000Z")
    acknowledged_at(bench, 2, "yesterday")
    assert [left for _, left, _ in told] == ([100_000, 100_000] if trusted else [])
    assert bench.delivery.status().refused == 1
