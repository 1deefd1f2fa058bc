"""Metering accuracy against a reference meter, at several loads where an injector can set them."""

import time

import pytest

from hil_tests.hil.bench import Bench
from hil_tests.hil.bench_file import Device
from hil_tests.hil.board import Board
from hil_tests.hil.reference import QUANTITIES, Known
from hil_tests.hil.verdict import AccuracyRow, BenchTrouble, Finding, Measures, near
from hil_tests.suite.conftest import make_ready

pytestmark = [
    pytest.mark.only(role="breaker"),
    pytest.mark.needs("reference_meter"),
    pytest.mark.step(
        "check shunt and divider in the board's settings and calibrate it at the bench, isolated or at low voltage",
        "核对分流器与分压比设置，并在隔离或低压台架上校准",
    ),
]
# Beside the class: what the last digits and the chip's resolution allow, in the units of QUANTITIES.
_DIGITS = {"voltage": 0.3, "current": 0.02, "power": 5.0, "frequency": 0.03}
_SETTLE_S = 2.0  # three windows of the slower chip, and the bus
_STEADY_SHARE = 0.003  # two measurements this near are of a meter that has settled
_STEADY_S = 20.0


@pytest.mark.smoke
@pytest.mark.check("what flows now is measured as the reference meter does", "当前值与标准表一致")
def test_now(bench: Bench, device: Device, live: Board, measures: Measures) -> None:
    """voltage, current, power and frequency within the class"""
    compared(bench, device, live, measures)


@pytest.mark.check("low, rated and overload current are measured", "小、额定与过载电流的计量")
@pytest.mark.needs("injector.amps")
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_loads(bench: Bench, device: Device, breaker: Board, measures: Measures, share: float) -> None:
    """within the class at a tenth, half and all of In"""
    bench.injector.apply(device.id, amps=share * device.rating)
    compared(bench, device, breaker, measures)


@pytest.mark.check("low and high voltage are measured", "偏低与偏高电压的计量")
@pytest.mark.needs("injector.volts")
@pytest.mark.parametrize("volts", [207.0, 250.0])
def test_voltages(bench: Bench, device: Device, breaker: Board, measures: Measures, volts: float) -> None:
    """within the class at 0.9 Un and just below the overvoltage element"""
    bench.injector.apply(device.id, volts=volts)
    compared(bench, device, breaker, measures)
    make_ready(bench, device, breaker)


@pytest.mark.check("energy is power times time", "电能等于功率乘时间")
@pytest.mark.needs("injector.amps")
def test_energy(bench: Bench, device: Device, breaker: Board) -> None:
    """the register grows by what flowed, within a twentieth and two of its last digits"""
    bench.injector.apply(device.id, amps=0.9 * device.rating)
    time.sleep(_SETTLE_S)
    power = bench.reference.read(device.id).values["power"]
    before, began = breaker.number("energy"), time.monotonic()
    breaker.until(lambda: breaker.number("energy") >= before + 0.005, "counted 5 Wh", 120)
    grown, hours = breaker.number("energy") - before, (time.monotonic() - began) / 3600
    wanted = power * hours / 1000
    if abs(grown - wanted) > 0.05 * wanted + 0.002:
        raise Finding(f"{wanted:.4f} kWh more", f"{grown:.4f} kWh")


def compared(bench: Bench, device: Device, board: Board, measures: Measures) -> None:
    """Each quantity beside the reference meter's; the first that is beyond its limit is the finding."""
    assert bench.file.reference_meter is not None
    share = bench.file.reference_meter.class_percent / 100
    known, found = steady(bench, device, board)
    after = bench.reference.read(device.id)
    worst = ""
    for quantity, measured in found.items():
        reference = (known.values[quantity] + after.values[quantity]) / 2
        # What moved while both were read is nobody's error.
        uncertainty = known.uncertainties[quantity] + abs(after.values[quantity] - known.values[quantity]) / 2
        limit = abs(reference) * share + _DIGITS[quantity]
        judgement = near(measured, reference, uncertainty, limit)
        measures.accuracy.append(
            AccuracyRow(
                device=device.id,
                quantity=quantity,
                unit=QUANTITIES[quantity],
                reference=reference,
                uncertainty=uncertainty,
                measured=measured,
                limit=limit,
                judgement=judgement,
            )
        )
        if judgement != "met" and not worst:
            worst = f"{quantity} {measured:g} beside {reference:g} {QUANTITIES[quantity]}: {judgement}"
    if "missed" in worst:
        raise Finding(f"no more than {share:.1%} of reading apart", worst)
    if worst:
        raise BenchTrouble(f"{worst}: the reference meter is not good enough for this class.")


def steady(bench: Bench, device: Device, board: Board) -> tuple[Known, dict[str, float]]:
    """What the reference meter and the board say once the board has settled; BenchTrouble when it never does."""
    time.sleep(_SETTLE_S)
    deadline = time.monotonic() + _STEADY_S
    before: dict[str, float] = {}
    while time.monotonic() < deadline:
        known = bench.reference.read(device.id)
        sequence = board.number("sequence")
        found = {quantity: board.number(quantity) for quantity in known.values}
        if before and all(
            abs(value - before[name]) <= abs(value) * _STEADY_SHARE + _DIGITS[name] / 2 for name, value in found.items()
        ):
            return known, found
        before = found
        board.until(lambda sequence=sequence: board.number("sequence") != sequence, "measured again", 10)  # type: ignore[misc]
        time.sleep(_SETTLE_S / 4)
    raise BenchTrouble(f"{device.id} shows no steady value: is the source steady?")
