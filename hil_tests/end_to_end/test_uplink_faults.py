"""Faults of the uplink: C1 to C9 of docs/faults.md against real brokers, a few runs of each."""

import math
import random
from pathlib import Path

import msgspec
import pytest

from gateway.outbox import Outbox
from gateway.records import Reading
from gateway.tests.certificates import Authority
from gateway.uplink.backoff import Backoff
from hil_tests.brokers import Mosquitto, Nats, RabbitMq, free_port
from hil_tests.faults import links
from hil_tests.faults.clock import FakeClock
from hil_tests.faults.samples import Route, event, reading
from hil_tests.faults.station import GATEWAY, Station

pytestmark = pytest.mark.integration


def test_a_silent_link_that_is_reset(tmp_path: Path) -> None:
    """C1: a black hole both ways, then a reset: nothing is lost from the first second on, and it was noticed.

    How long noticing takes, and 30 s and 285 s of silence, are measured by `gewu bench faults`.
    """
    with Mosquitto() as broker:
        ledger, noticed = links.silent_then_reset(tmp_path, broker, seconds=4.0, until_noticed=True)
    assert ledger.clean(), ledger
    assert not math.isnan(noticed)


def test_confirmations_that_never_come(tmp_path: Path) -> None:
    """C2: PUBACKs are thrown away: nothing is lost, duplicates stay within the window for each disconnect."""
    with Mosquitto() as broker:
        ledger = links.confirmations_lost(tmp_path, broker, rounds=2)
    assert ledger.clean(), ledger
    assert ledger.duplicates > 0


def test_a_broker_that_forgets(tmp_path: Path) -> None:
    """C3: killed without its data; a consumer that acknowledges has everything."""
    ledger = links.broker_forgets(tmp_path, kills=2)
    assert ledger.clean(), ledger


def test_a_link_that_flaps(tmp_path: Path) -> None:
    """C4: reset again and again: neither threads nor open files grow, nothing is lost."""
    with Mosquitto() as broker:
        ledger = links.flapping(tmp_path, broker, times=4)
    assert ledger.clean(), ledger


def test_an_outage_of_hours_waits_no_longer_than_two_minutes() -> None:
    """C4: the first retry within 1 s, at most 15 s in ten minutes, then 120 s, never twice alike."""
    backoff, chance, now = Backoff(random.Random(4).random), random.Random(5), 0.0
    waits = []
    while now < 4 * 3600:
        waits.append((now, wait := backoff.failed(now)))
        now += wait + chance.random()
    assert waits[0][1] <= 1.0
    assert max(wait for at, wait in waits if at < 600) <= 15.0
    assert 60.0 <= max(wait for _, wait in waits) <= 120.0
    assert len({wait for _, wait in waits}) == len(waits)


def test_directions_lost_and_a_narrow_line(tmp_path: Path) -> None:
    """C1: what goes down is lost, then what goes up, then 20 kB/s with 100 ms: all arrives."""
    with Mosquitto() as broker:
        ledger = links.one_way_loss(tmp_path, broker)
    assert ledger.clean(), ledger


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", [Nats, RabbitMq])
def test_brokers_of_other_houses(tmp_path: Path, kind: type[Nats] | type[RabbitMq]) -> None:
    """NATS with JetStream and RabbitMQ carry the native format over 3.1.1; nothing is lost across their restart."""
    with kind() as broker:
        ledger = links.broker_restarts(tmp_path, broker, rounds=1)
    assert ledger.clean(), ledger


def test_another_broker_in_the_configuration(tmp_path: Path) -> None:
    """C5: 10,000 queued; the gateway comes back with another broker's address, and the queue is as it was."""
    clock = FakeClock()
    outbox = Outbox(tmp_path / "data", clock, [Route()])
    for number in range(10_000):
        outbox.put_reading(reading(number))
    outbox.flush()
    before = outbox.stats()
    epoch = outbox.epoch
    outbox.close()
    with Mosquitto() as broker, Station(tmp_path, broker) as station:
        station.readings = 10_000
        assert station.outbox.epoch == epoch
        assert station.outbox.stats().accepted == before.accepted == 10_000
        ledger = station.finish()
    assert ledger.clean(), ledger


def test_a_message_that_no_broker_takes(tmp_path: Path) -> None:
    """C6: above the broker's limit: set aside once and announced; what is behind it leaves, no reconnect loop."""
    with Mosquitto(extra="max_packet_size 4000") as broker, Station(tmp_path, broker) as station:
        station.until("a connection", station.connected)
        station.accept(1)
        station.outbox.accept_event(msgspec.structs.replace(event("large"), place="p" * 5000), "large")
        station.accept(1)
        station.until("everything is settled", lambda: station.outbox.stats().queued == 0)
        station.until("the rest is seen", station.all_seen)
        (heard,) = station.witness.heard(GATEWAY).values()
        station.until("the gap is announced", lambda: 2 in heard.gaps["events"])
        assert station.uplink.status().reconnects <= 3


def test_certificates_gone_bad_and_renewed(tmp_path: Path) -> None:
    """C7: an expired certificate is named, the queue grows, and with a good one all leaves without a hand on it."""
    authority = Authority(tmp_path / "ca")
    port = free_port()
    cert, key = authority.issue("broker", "127.0.0.1", days=-1)
    listener = f"listener {port} 127.0.0.1\nallow_anonymous true\ncertfile {cert}\nkeyfile {key}"
    # With acknowledgements: a broker that was restarted may hear of the gateway before it hears of the witness.
    with Mosquitto(extra=listener) as broker, Station(tmp_path, broker, acks=True, tls=(port, authority.ca)) as station:
        station.accept(20, events=2)
        station.until("the reason is named", lambda: "expired" in (station.uplink.status().trouble or ""))
        assert station.outbox.stats().queued >= 22  # the gateway's own event of it is one more
        authority.issue("broker", "127.0.0.1")
        broker.restart()
        ledger = station.finish()
    assert ledger.clean(), ledger


def test_a_backlog_of_every_kind_of_value(tmp_path: Path) -> None:
    """C8: numbers, truths, words and marks come out of a backlog as they went in."""
    outbox = Outbox(tmp_path, FakeClock(), [Route(max_delay=0.0)])
    given = [reading(number) for number in range(700)]
    for one in given:
        outbox.put_reading(one)
    outbox.flush()
    outbox.close()
    outbox = Outbox(tmp_path, FakeClock(), [Route(max_delay=0.0)])
    came = [r for m in outbox.next_messages("county", 99, 99) for r in m.records if isinstance(r, Reading)]
    outbox.close()
    assert [(r.device, r.at, r.values, r.marks) for r in came] == [(r.device, r.at, r.values, r.marks) for r in given]
    assert [type(v) for v in came[0].values.values()] == [int, float, bool, str]


def test_two_hundred_gateways_come_back(tmp_path: Path) -> None:
    """C9: one broker lost by 200 gateways at once: in no 50 ms does more than a fifth of them come back."""
    chance = random.Random(9)
    back = sorted(Backoff(chance.random).failed(0.0) for _ in range(200))
    assert back[0] >= 0.5
    assert max(sum(at <= other < at + 0.05 for other in back) for at in back) <= 40
