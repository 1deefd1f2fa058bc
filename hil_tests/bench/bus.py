"""`gewu bench bus`: how near the bus is to its physical limit, beside the plain way on the same devices.

The cases and their limits stand here; how one is measured is in `measure`, what it is measured on in `ideal`
(and the virtual boards of the rig).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gateway import health
from gateway.bus.wire import Wire
from gateway.config import Bus, Device
from gateway.errors import GewuError
from gateway.profile import Profile
from hil_tests.bench import boards, tcp, whole
from hil_tests.bench.ideal import REGISTERS, IdealSlave, Trips
from hil_tests.bench.measure import BusUnderMeasurement, Figures, percentile
from hil_tests.bench.plain import Plain, plain_loop
from hil_tests.bench.row import Report, Row, machine

BAUDS = (9600, 38400, 115200)
DEVICES = (8, 32)
LEAST_UTILISATION = {9600: 0.95, 38400: 0.92, 115200: 0.85}
TIMES_THE_PLAIN_LOOP = 3.0
ALARM_SLACK_S = 0.05
MOST_CPU_AT_9600 = 0.10
MOST_STRETCH = 0.10
_TRIPS = 100
# So far apart that committing them does not itself fill the bus, and never two of one device between two reads.
_TRIPPING_S = 20.0
_SWEEPS_A_TRIP = 2.5
_SETTLED_S = 12.0  # a dead device has been given up and its back-off has grown

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to measure: each figure over `seconds`, with the plain loop beside it."""

    bauds: Sequence[int] = BAUDS
    devices: Sequence[int] = DEVICES
    seconds: float = 10.0
    virtual: bool = True
    tcp: bool = True
    whole: bool = True


def measure(plan: Plan, progress: Progress) -> Report:
    """All rows of the plan, in order; `progress` is told what is measured now."""
    return Report(name="bus", rows=list(_rows(plan, progress)), machine=machine())


def _rows(plan: Plan, progress: Progress) -> Iterator[Row]:
    for baud in plan.bauds:
        for count in plan.devices:
            progress(f"{count} ideal slaves at {baud}")
            yield from _ideal(baud, count, plan.seconds)
        if 32 in plan.devices:
            progress(f"one dead of 32 ideal slaves at {baud}")
            yield _one_dead(baud, plan.seconds)
    if plan.virtual:
        for baud in plan.bauds:
            for count in plan.devices:
                progress(f"{count} virtual boards at {baud}")
                yield from boards.rows(baud, count, plan.seconds)
    if plan.tcp:
        progress("200 devices behind Modbus TCP")
        yield from tcp.rows(plan.seconds)
    if plan.whole:
        progress("a gateway with 4 buses and 100 devices")
        yield from whole.rows(plan.seconds)


def ideal_profile() -> Profile:
    """A device of 32 input registers, all alarms: one request fetches it whole."""
    plain = [
        {"name": f"r{n}", "kind": "input", "address": n, "type": "u16", "poll": "alarm", "scale": 0.1, "unit": "V"}
        for n in range(5, REGISTERS)
    ]
    alarm = {"kind": "input", "poll": "alarm"}
    head = [
        alarm | {"name": "cause", "address": 0, "type": "u16"},
        alarm | {"name": "trip_count", "address": 1, "type": "u16"},
        alarm | {"name": "trip_age", "address": 2, "type": "u32", "deadband": 4294967295, "at_least": 86400},
        alarm | {"name": "sequence", "address": 4, "type": "u16", "deadband": 65535},
    ]
    trip = {"kind": "trip.overcurrent", "when": "cause", "equals": 1, "grade": 2}
    return Profile.model_validate(
        {
            "profile": {"name": "ideal"},
            "register": head + plain,
            "event": [trip | {"age": "trip_age", "counter": "trip_count"}],
        }
    )


def ideal_bus(port: str, baud: int, count: int) -> Bus:
    """A bus of `count` such devices, at addresses from 1 on."""
    profile = ideal_profile()
    devices = [
        Device(id=f"d{n}", profile="ideal", address=n, place="", critical=False).defined(profile)
        for n in range(1, count + 1)
    ]
    return Bus.model_validate({"name": "bench", "port": port, "baud": baud, "device": devices}, strict=False)


def _ideal(baud: int, count: int, seconds: float) -> Iterator[Row]:
    wire = Wire(baud)
    sweep = count * wire.read("input", REGISTERS)
    period = max(_SWEEPS_A_TRIP * sweep, min(_TRIPPING_S, 4 * seconds) * count / _TRIPS)
    tripping = min(period * _TRIPS / count, 8 * seconds)
    first = time.monotonic() + 2 * seconds + 4 * sweep + 4.0
    with IdealSlave(wire, count, trips=(first, first + tripping, period)) as slave:
        addresses = list(range(1, count + 1))
        plain = plain_loop(slave.port, wire, addresses, list(range(REGISTERS)), seconds)
        with BusUnderMeasurement(ideal_bus(slave.port, baud, count)) as measured:
            measured.await_contact()
            figures = measured.watch(seconds)
            memory = health.rss_mb()
            time.sleep(max(0.0, first + tripping + 2 * sweep + 0.5 - time.monotonic()))
            late = _delays(measured, Trips(first, first + tripping, period, count))
    yield from bus_rows(f"ideal {baud} x{count}", baud, figures, plain, REGISTERS * count, limited=True)
    yield alarm_row(f"ideal {baud} x{count}", late, figures)
    yield Row(case=f"ideal {baud} x{count}", metric="rss_mb", value=memory, unit="MB")


def alarm_row(case: str, delays: Sequence[float], figures: Figures) -> Row:
    """From trip to commit: at most one alarm sweep and a little. GewuError when nothing tripped."""
    if not delays:
        raise GewuError(f"{case}: no trip was reported, so there is no delay to measure.")
    limit = round((figures.sweep_s + ALARM_SLACK_S) * 1000, 1)
    value = round(percentile(delays, 0.99) * 1000, 1)
    return Row(case=case, metric="alarm_p99_ms", value=value, unit="ms", limit=limit)


def bus_rows(case: str, baud: int, figures: Figures, plain: Plain, registers: int, *, limited: bool) -> Iterator[Row]:
    """The rows of one bus that is watched, beside the plain loop; `limited` adds what was promised."""
    use = LEAST_UTILISATION.get(baud) if limited else None
    values = round(plain.values_per_s * TIMES_THE_PLAIN_LOOP, 1) if limited else None
    cpu = MOST_CPU_AT_9600 if limited and baud == 9600 else None
    figure = [
        ("utilisation", figures.utilisation, "", use, plain.utilisation),
        ("sweep_s", figures.sweep_s, "s", None, registers / plain.values_per_s if plain.values else None),
        ("values_per_s", figures.values_per_s, "1/s", values, plain.values_per_s),
        ("cpu", figures.cpu, "core", cpu, plain.cpu),
    ]
    for metric, value, unit, limit, peer in figure:
        beside = None if peer is None else round(peer, 4)
        yield Row(case=case, metric=metric, value=round(value, 4), unit=unit, limit=limit, peer=beside)


def _delays(measured: BusUnderMeasurement, trips: Trips) -> list[float]:
    """Seconds from each trip, as the slave knows it, to its commit."""
    return [
        raised.committed - trips.times[int(raised.device.removeprefix("d")) - 1][int(raised.key) - 1]
        for raised in measured.raised
    ]


def _one_dead(baud: int, seconds: float) -> Row:
    """How much longer the others wait for their turn when one of 32 is dead: a share of their period."""
    sweeps = []
    for dead in (0, 1):
        with (
            IdealSlave(Wire(baud), 32, dead=dead) as slave,
            BusUnderMeasurement(ideal_bus(slave.port, baud, 32)) as measured,
        ):
            measured.await_contact(silent=[32] if dead else [])
            if dead:
                time.sleep(_SETTLED_S)
            # Long enough for the trials of the dead one to be what they are on average
            sweeps.append(measured.watch(max(seconds, 20.0)).sweep_s)
    stretch = sweeps[1] / sweeps[0] - 1
    return Row(
        case=f"ideal {baud} x32", metric="one_dead_stretch", value=round(stretch, 4), unit="", limit=MOST_STRETCH
    )
