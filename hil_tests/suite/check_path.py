"""End to end: a real gateway on this bench's own pair, a broker and a receiver; what happens arrives, once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.bus.poller import BusPoller
from gateway.config import Bus as GatewayBus
from gateway.config import Device as GatewayDevice
from gateway.profile.load import load as load_profile
from gateway.records import from_rfc3339
from hil_tests import brokers
from hil_tests.end_to_end.scene import Site, wait_for
from hil_tests.faults.clock import SteppedClock
from hil_tests.faults.memory import Memory
from hil_tests.hil.bench import Bench
from hil_tests.hil.bench_file import Bus, Device
from hil_tests.hil.board import Board
from hil_tests.hil.probe import Probe
from hil_tests.hil.verdict import Measures, expect
from hil_tests.suite.conftest import make_ready

pytestmark = [
    pytest.mark.needs("workshop"),
    pytest.mark.permission("write"),  # a gateway tells the time
    pytest.mark.step(
        "run `gewu doctor` beside the gateway and do what it says", "在网关旁运行 gewu doctor 并按提示处理"
    ),
]
_ARRIVES_MS = 10_000  # what a technician would wait for; how long it took is on the paper
_PATIENCE_S = 0.6
_HOUR_MS = 3_600_000
_START_S = 60.0


@pytest.fixture
def broker() -> Iterator[brokers.Mosquitto | brokers.Amqtt]:
    """mosquitto where it is installed."""
    one = brokers.best()
    try:
        one.start()
        yield one
    finally:
        one.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A gateway's folder; its programs end with the test."""
    site = Site(tmp_path)
    yield site
    site.close()


def bus_toml(bus: Bus) -> str:
    """The pair as a gateway's configuration has it."""
    head = f'[[bus]]\nname = "{bus.name}"\nport = "{bus.port}"\nbaud = {bus.baud}\nparity = "{bus.parity}"\n'
    return f"{head}stopbits = {bus.stopbits}\n" + "".join(
        f'[[bus.device]]\nid = "{device.id}"\nprofile = "{device.profile}"\naddress = {device.address}\n'
        f'place = "bench"\n'
        for device in bus.device
    )


def started(bench: Bench, bus: Bus, site: Site, broker: brokers.Mosquitto | brokers.Amqtt) -> None:
    """A gateway that has read every device of the pair, and a receiver behind it."""
    bench.probe(bus).release()
    site.configure(bus_toml(bus), broker.url)
    site.start_receiver(broker.url)
    site.start_gateway()
    names = [device.id for device in bus.device]
    wait_for(
        f"values of {', '.join(names)}",
        lambda: all((site.device(name) or {}).get("values") for name in names),
        _START_S,
    )


@pytest.mark.check("a trip arrives once, and nothing is lost over a kill", "脱扣事件到达一次，网关被杀不丢数据")
@pytest.mark.only(role="breaker", fitted="fast_output")
@pytest.mark.permission("trip")
@pytest.mark.needs("injector.amps", "hands")
def test_trip_arrives(
    bench: Bench,
    device: Device,
    breaker: Board,
    site: Site,
    broker: brokers.Mosquitto | brokers.Amqtt,
    measures: Measures,
) -> None:
    """one event with its own time, cleared when the breaker is closed again; no number missing after a SIGKILL"""
    bus = bench.bus_of(device)
    started(bench, bus, site, broker)
    bench.injector.trip_time(device.id, quantity="amps", value=21.0 * device.rating, timeout_s=15)
    (event,) = wait_for("the trip at the receiver", site.trips, _START_S)
    took = event["got"] - from_rfc3339(event["raised"])
    measures.notes.append(f"{device.id}: the trip's event was at the receiver {took} ms after the trip.")
    expect(event["device"] == device.id, f"an event of {device.id}", event["device"])
    expect(took <= _ARRIVES_MS, f"an event within {_ARRIVES_MS} ms", f"{took} ms")
    gateway = site.programs[-1]
    gateway.kill()
    make_ready(bench, device, breaker)
    bench.probe(bus).release()
    gateway.restart()
    cleared = wait_for("its clearing", lambda: [one for one in site.trips() if one["cleared"]], _START_S)
    expect(len(site.trips()) == 2, "one event raised and cleared", f"{len(site.trips())} records")
    expect(cleared[0]["id"] == event["id"], "the same event", "another")
    wait_for("all at the receiver", lambda: site.report()["lost"] == 0, _START_S)
    gateway.stop(30)


@pytest.mark.check("a clock that jumps moves nothing", "时钟跳变不影响顺序")
def test_clock_jumps(bench: Bench, bus: Bus, line: Probe) -> None:
    """a gateway's clock in 1970 and an hour either way: readings in order, nobody lost, no event"""
    line.release()
    clock, sink = SteppedClock(), Memory()
    clock.offset_ms, clock.believed = -clock.wall_ms(), "untrusted"
    devices = [
        GatewayDevice(id=one.id, profile=one.profile, address=one.address, place="", critical=False).defined(
            load_profile(one.profile)
        )
        for one in bus.device
    ]
    settings = {"name": bus.name, "port": bus.port, "baud": bus.baud, "timeout": _PATIENCE_S, "device": devices}
    poller = BusPoller(GatewayBus.model_validate(settings, strict=False), clock, sink)
    poller.start()
    try:
        wait_for("all devices", lambda: all(one.online for one in poller.status().devices), _START_S)
        # What the boards tell of their own past at the first contact is no matter of the clock.
        sink.events.clear()
        for offset in (0, _HOUR_MS, -_HOUR_MS):
            polls = poller.status().polls
            clock.offset_ms = offset
            wait_for("more polls", lambda polls=polls: poller.status().polls > polls + 5 * len(devices))  # type: ignore[misc]
        expect(all(one.online for one in poller.status().devices), "every device online", "one is lost")
        order = [reading.mono for reading in sink.readings]
        expect(order == sorted(order), "readings in order", "out of order")
        lost = [event.kind for event in sink.events if event.kind == "device.lost"]
        expect(not lost, "no device lost", lost)
    finally:
        poller.request_stop()
        poller.join(20.0)
