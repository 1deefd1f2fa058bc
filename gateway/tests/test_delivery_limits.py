"""Delivery under budgets, against brokers with limits, and what comes down beside acknowledgements."""

from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.tests.delivery_bench import WINDOW, DeliveryBench
from gateway.tests.outbox_samples import event, reading
from gateway.uplink.format import Publication
from gateway.uplink.link import Arrived, Confirmed, Refused


def _kinds(bench: DeliveryBench) -> list[str]:
    return [kind for kind, _ in bench.published("readings", "events", "gaps")]


def _events(bench: DeliveryBench) -> list[dict[str, object]]:
    return [content for _, content in bench.published("events")]


def test_a_spent_month_holds_readings_and_lets_alarms_go(tmp_path: Path) -> None:
    """The queue waits, an alarm goes at once, an event says why; the next month drains the queue."""
    bench = DeliveryBench(tmp_path, max_bytes_per_month=100_000)
    bench.fill(8)
    for _ in range(10):
        bench.step()
        bench.clock.now += 61
    sent = _kinds(bench).count("readings")
    assert 1 <= sent < 8
    assert _events(bench)[0]["values"] == {"uplink": "county", "reason": "month's budget spent", "bytes": 100_000}
    bench.outbox.accept_event(event(), "k")
    bench.step()
    assert _events(bench)[-1]["id"] == "e1"
    status = bench.delivery.status()
    assert status.trouble is not None
    assert status.month_bytes >= 100_000
    bench.clock.now += 35 * 86400
    bench.step(3)
    assert _kinds(bench).count("readings") > sent


def test_a_restart_does_not_refill_the_month(tmp_path: Path) -> None:
    """What was counted is in the store."""
    bench = DeliveryBench(tmp_path, max_bytes_per_month=100_000)
    bench.fill(3)
    bench.step(3)
    counted = bench.delivery.status().month_bytes
    bench.delivery.close()
    bench.outbox.close()
    again = DeliveryBench(tmp_path, max_bytes_per_month=100_000)
    assert again.delivery.status().month_bytes == counted > 20_000


def test_a_rate_spreads_readings_and_never_alarms(tmp_path: Path) -> None:
    """At 5 kB a second ten messages of some 30 kB take a minute; an alarm between them is not held up."""
    bench = DeliveryBench(tmp_path, max_bytes_per_second=5000)
    bench.fill(10)
    began = bench.clock.now
    alarmed = False
    while _kinds(bench).count("readings") < 10:
        wait = bench.step()
        if not alarmed and bench.clock.now - began > 10:
            bench.outbox.accept_event(event(), "k")
            bench.step()
            alarmed = _kinds(bench)[-1] == "events"
            assert alarmed
        bench.clock.now += max(wait, 0.01)
        assert bench.clock.now - began < 300
    total = sum(len(payload) for topic, payload, _ in bench.broker.published if topic.endswith("readings"))
    assert total / 5000 * 0.8 < bench.clock.now - began < total / 5000 * 1.3 + 10


def test_what_a_broker_names_too_large_is_never_sent(tmp_path: Path) -> None:
    """C6, MQTT 5: set aside once, announced, an event; what is smaller goes."""
    bench = DeliveryBench(tmp_path)
    bench.broker.most_bytes = 5000
    bench.fill(1)
    bench.step(3)
    assert "readings" not in _kinds(bench)
    gaps = [content for _, content in bench.published("gaps")]
    assert {gap["stream"] for gap in gaps} == {"messages", "readings"}
    assert [one["cleared"] is None for one in _events(bench)] == [True, False]
    assert bench.receive().report()["lost"] == 1  # the message, which is named; its readings are announced
    bench.outbox.put_reading(reading(300))
    bench.step(2)
    assert _kinds(bench)[-1] == "readings"
    assert bench.outbox.stats().queued == 0
    assert bench.delivery.status().reconnects == 0


def test_what_a_broker_refuses_for_good_is_set_aside(tmp_path: Path) -> None:
    """A refusal of this message alone does not end the link; a refusal of our rights does."""
    bench = DeliveryBench(tmp_path)
    bench.step()
    bench.broker.confirms = False
    bench.fill(1)
    bench.step()
    bench.broker.link.events.append(Refused(bench.broker.link._token, "Packet too large", for_good=True))
    bench.broker.confirms = True
    bench.step(2)
    assert bench.delivery.status().connected
    assert bench.receive().report()["lost"] == 0
    assert bench.outbox.stats().queued == 0


def test_the_message_at_which_the_broker_hangs_up_is_found(tmp_path: Path) -> None:
    """C6, MQTT 3.1.1: no reconnect loop; one message is set aside and the others arrive."""
    bench = DeliveryBench(tmp_path)
    bench.broker.poison = b'"seq":2,'
    bench.fill(4)
    while bench.outbox.stats().queued and bench.clock.now < 1000:
        bench.clock.now += min(bench.step(), 1.0)
    gaps = [content for _, content in bench.published("gaps") if content["stream"] == "messages"]
    assert [(gap["first"], gap["last"]) for gap in gaps] == [(2, 2)]
    assert bench.outbox.stats().queued == 0
    assert len(bench.broker.attempts) <= 8


def test_a_broker_that_confirms_nothing_is_left(tmp_path: Path) -> None:
    """Pings answered, confirmations lost: a new connection after half a minute, later ones after longer."""
    bench = DeliveryBench(tmp_path)
    bench.broker.confirms = False
    bench.fill(1)
    for _ in range(400):
        bench.step()
        bench.clock.now += 1
    assert 3 <= len(bench.broker.attempts) <= 6
    bench.broker.confirms = True
    for _ in range(30):
        bench.clock.now += 30
        bench.step()
    assert bench.outbox.stats().queued == 0


def test_what_comes_down_is_handed_on_and_then_confirmed(tmp_path: Path) -> None:
    """A command and an inbox message; retained, oversized and unexpected ones are refused and counted."""
    bench = DeliveryBench(tmp_path)
    handed: list[tuple[str, bytes]] = []
    bench.delivery.hand("commands", lambda name, payload: handed.append((name, payload)))
    bench.step()
    link = bench.broker.link
    link.events += [
        Arrived("gewu/s/g/commands/c1", b"go", False, 1),
        Arrived("gewu/s/g/commands/c2", b"x" * 20_000, False, 2),
        Arrived("gewu/s/g/commands/c3", b"go", True, 3),
        Arrived("gewu/s/g/inbox", b"roster", False, 4),
    ]
    bench.step()
    assert handed == [("c1", b"go")]
    assert [arrived.token for arrived in link.confirmed_to_broker] == [1, 2, 3, 4]
    assert bench.delivery.status().refused == 3


def test_what_cannot_be_kept_is_not_confirmed(tmp_path: Path) -> None:
    """A store that refuses: the connection ends, so that the broker delivers it again."""
    bench = DeliveryBench(tmp_path)

    def full(_name: str, _payload: bytes) -> None:
        raise StoreError("The disk is full.")

    bench.delivery.hand("inbox", full)
    bench.step()
    link = bench.broker.link
    link.events.append(Arrived("gewu/s/g/inbox", b"roster", False, 7))
    bench.step()
    assert link.closed
    assert link.confirmed_to_broker == []
    assert "The disk is full" in (bench.delivery.status().trouble or "")


def test_a_reply_waits_for_the_connection(tmp_path: Path) -> None:
    """Said while there is none, it goes with the next one, outside the numbering."""
    bench = DeliveryBench(tmp_path)
    bench.broker.refuses = "gone"
    bench.step()
    bench.delivery.say(Publication("gewu/s/g/replies/c1", b"{}"))
    assert bench.broker.published == []
    bench.broker.refuses = None
    bench.clock.now += 2
    bench.step()
    assert ("gewu/s/g/replies/c1", b"{}", False) in bench.broker.published


def test_a_backlog_is_numbered_ahead_and_still_keeps_the_window(tmp_path: Path) -> None:
    """Messages composed ahead are sent once each, an alarm overtakes them, and a lost link costs nothing."""
    bench = DeliveryBench(tmp_path)
    bench.broker.confirms = False
    bench.fill(15)
    bench.step(2)
    assert bench.broker.most_unconfirmed <= WINDOW + 2  # the status and the health message beside it
    bench.outbox.accept_event(event(), "k")
    bench.step()
    assert _kinds(bench)[-1] == "events"
    bench.broker.confirms = True
    bench.broker.link.lose()
    bench.step()
    bench.clock.now += 2
    bench.step(12)
    report = bench.receive().report()
    assert (report["lost"], bench.outbox.stats().queued) == (0, 0)
    assert report["duplicates"] <= WINDOW


def test_confirmations_of_another_connection_count_nothing(tmp_path: Path) -> None:
    """A token that nobody waits for changes nothing."""
    bench = DeliveryBench(tmp_path)
    bench.step()
    bench.broker.link.events.append(Confirmed(999))
    bench.step()
    assert bench.delivery.status().confirmed == 0


@pytest.mark.parametrize("acks", [False, True])
def test_an_event_of_the_uplink_itself_reaches_its_receivers(tmp_path: Path, acks: bool) -> None:
    """An outage of more than ten minutes is told when it is over: raised and cleared."""
    bench = DeliveryBench(tmp_path, acks=acks)
    bench.broker.refuses = "gone"
    for _ in range(12):
        bench.step()
        bench.clock.now += 61
    bench.broker.refuses = None
    bench.clock.now += 121
    bench.step(3)
    told = [one for one in _events(bench) if one["kind"] == "gateway.uplink"]
    assert [one["cleared"] is None for one in told] == [True, False]
    assert {one["id"] for one in told} == {told[0]["id"]}


@pytest.mark.parametrize(("uptime", "waits"), [(20.0, 2.5), (61.0, 0.0)])
def test_a_machine_that_just_booted_does_not_rush(tmp_path: Path, uptime: float, waits: float) -> None:
    """C9: power is back in the village, and its gateways spread their first connections over 5 s."""
    bench = DeliveryBench(tmp_path, uptime=uptime)
    while not bench.broker.attempts:
        bench.clock.now += bench.step()
    assert bench.broker.attempts[0] - uptime == pytest.approx(waits)
