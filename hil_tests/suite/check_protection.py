"""Protection: trip times against the standards' tables for the board's own rating and curve, and what a trip leaves.

Points and provenance are in `hil_tests.curve.limits`. Meeting one is a test and no claim of compliance.
"""

import math

import pytest

from hil_tests.curve import limits
from hil_tests.hil.bench import Bench
from hil_tests.hil.bench_file import Device
from hil_tests.hil.board import Board
from hil_tests.hil.hurried import HurriedInjector
from hil_tests.hil.verdict import Finding, Measures, expect
from hil_tests.hil.words import Words
from hil_tests.suite.conftest import make_ready
from hil_tests.suite.trips import Trial, said

pytestmark = [
    pytest.mark.only(role="breaker"),
    pytest.mark.permission("trip"),
    pytest.mark.needs("hands"),
    pytest.mark.step(
        "do not mount this breaker: compare its settings (rating, curve, shunt) with the plan, then send it back",
        "不得安装此断路器：核对额定、曲线、分流器设置后退回",
    ),
]
OVERCURRENT, INSTANTANEOUS, RESIDUAL, OVERVOLTAGE = 1, 2, 3, 4
CHIP, MODULE = 2, 3
_WATCH_S = 10.0  # that a breaker is watched for that must not trip, in real time
_HOURS_S = 10_800.0
_SWEEP = [1.5 * 1.16**step for step in range(20)]
_TIE_SHARE, _TIE_S = 0.1, 1.0  # the meter's window and the warmth that is left of the test before


@pytest.fixture
def trial(bench: Bench, device: Device, measures: Measures) -> Trial:
    return Trial(bench, device, measures)


def overcurrent(device: Device, name: str) -> limits.Limit:
    return next(one for one in limits.overcurrent(device.rating, device.curve) if one.name == f"row {name}")


@pytest.mark.smoke
@pytest.mark.check("a short circuit opens below 0.1 s (row e)", "短路 0.1 秒内脱扣（e 行）")
@pytest.mark.needs("injector.amps")
@pytest.mark.only(fitted="fast_output")
def test_instantaneous(bench: Bench, device: Device, breaker: Board, trial: Trial) -> None:
    """opened by the metering chip's own pin, and the record says so"""
    breaker.until(lambda: breaker.value("fast_armed"), "armed its fast element", 30)
    again = lambda: make_ready(bench, device, breaker)  # noqa: E731
    trial.at(overcurrent(device, "e"), "amps", device.rating, board=breaker, element="instantaneous", again=again)
    latched(breaker, INSTANTANEOUS, (CHIP,))


@pytest.mark.smoke
@pytest.mark.check("residual current opens in time", "剩余电流按时脱扣")
@pytest.mark.needs("injector.residual")
@pytest.mark.only(fitted="residual_output")
def test_residual(bench: Bench, device: Device, breaker: Board, trial: Trial) -> None:
    """within the longest break time at the rated residual current; by the module"""
    again = lambda: make_ready(bench, device, breaker)  # noqa: E731
    point = next(one for one in limits.residual(device.residual_type) if one.at == 1.0)
    trial.at(point, "residual", device.residual, board=breaker, element="residual", again=again)
    latched(breaker, RESIDUAL, (1, MODULE))


@pytest.mark.check("larger residual currents open faster", "更大剩余电流更快脱扣")
@pytest.mark.needs("injector.residual")
@pytest.mark.only(fitted="residual_output")
@pytest.mark.parametrize("multiple", [2.0, 5.0, 10.0])
def test_residual_multiples(bench: Bench, device: Device, breaker: Board, trial: Trial, multiple: float) -> None:
    """within the longest break time at this multiple of the rated residual current"""
    again = lambda: make_ready(bench, device, breaker)  # noqa: E731
    point = next(one for one in limits.residual(device.residual_type) if one.at == multiple)
    trial.at(point, "residual", device.residual, board=breaker, element="residual", again=again)
    latched(breaker, RESIDUAL, (1, MODULE))


@pytest.mark.check("half of the rated residual current does not open", "半额定剩余电流不脱扣")
@pytest.mark.needs("injector.residual")
@pytest.mark.only(fitted="residual_output")
def test_residual_half(device: Device, breaker: Board, trial: Trial) -> None:
    """no trip while it is watched"""
    point = next(one for one in limits.residual(device.residual_type) if one.at == 0.5)
    trial.at(point, "residual", device.residual, board=breaker, element="residual", watch_s=_WATCH_S)
    expect(breaker.value("closed") is True, "a closed breaker", "an open one")


@pytest.mark.check("overvoltage opens in time, 255 V does not", "过电压按时脱扣，255 V 不脱扣")
@pytest.mark.needs("injector.volts")
@pytest.mark.parametrize("volts", [255.0, 275.0, 300.0])
def test_overvoltage(bench: Bench, device: Device, breaker: Board, trial: Trial, volts: float) -> None:
    """EN 50550: between shortest and longest time at this voltage"""
    again = lambda: make_ready(bench, device, breaker)  # noqa: E731
    point = next(one for one in limits.voltage() if one.at == volts)
    found = trial.at(point, "volts", 1.0, board=breaker, element="overvoltage", watch_s=_WATCH_S, again=again)
    if found.seconds is not None:
        latched(breaker, OVERVOLTAGE, (1,))


@pytest.mark.check("350 V and 400 V: met, or the board itself says that it cannot", "350/400 V：符合或自报不满足")
@pytest.mark.needs("injector.volts")
@pytest.mark.parametrize("volts", [350.0, 400.0])
def test_high_overvoltage(bench: Bench, device: Device, breaker: Board, trial: Trial, volts: float) -> None:
    """in time with an ADE7953; with a BL0942 later, and the register not_met says so"""
    again = lambda: make_ready(bench, device, breaker)  # noqa: E731
    point = next(one for one in limits.voltage() if one.at == volts)
    found = trial.at(point, "volts", 1.0, board=breaker, element="overvoltage", again=again)
    expect(found.seconds is not None, "a trip", said(found))
    flag = f"not_met_{volts:.0f}_v"
    wanted = limits.out_of_reach(point, device.meter)
    expect(breaker.value(flag) == wanted, f"{flag} {wanted}", breaker.value(flag))


@pytest.mark.check("at 2.55 In it opens between its times (row c)", "2.55 In 按时脱扣（c 行）")
@pytest.mark.needs("injector.amps")
def test_row_c(cold: Board, device: Device, trial: Trial) -> None:
    """1 s to 60 s (120 s above 32 A), from cold"""
    trial.at(overcurrent(device, "c"), "amps", device.rating, element="thermal")


@pytest.mark.check("just below the instantaneous band it opens by heat (row d)", "瞬动下限处热脱扣（d 行）")
@pytest.mark.needs("injector.amps")
def test_row_d(cold: Board, device: Device, trial: Trial) -> None:
    """not within 0.1 s, and within the time of its curve"""
    trial.at(overcurrent(device, "d"), "amps", device.rating, element="thermal")


@pytest.mark.check(
    "1.13 In never opens, 1.45 In after it does (rows a and b)", "1.13 In 不脱扣，1.45 In 脱扣（a、b 行）"
)
@pytest.mark.needs("injector.amps")
def test_rows_a_and_b(bench: Bench, device: Device, cold: Board, trial: Trial) -> None:
    """no trip within the conventional time at 1.13 In; at 1.45 In straight after it a trip within the same"""
    conventional = overcurrent(device, "b").longest or 0.0
    trial.at(overcurrent(device, "a"), "amps", device.rating, element="thermal")
    found = bench.soaked_trip(device, 1.13, 1.45 * device.rating, conventional * 1.25)
    if found is None:
        raise Finding("no trip in the conventional time at 1.13 In", "a trip")
    expect(
        found.seconds is not None and found.seconds + found.uncertainty_s < conventional,
        f"a trip below {conventional:g} s at 1.45 In",
        said(found),
    )


@pytest.mark.check("real time and hurried time agree", "真实时间与虚拟时间一致")
@pytest.mark.needs("injector.amps", "virtual_time")
def test_the_clocks_agree(bench: Bench, device: Device, breaker: Board, trial: Trial) -> None:
    """the same overload on the real board and in virtual time: within a tenth and a second"""
    # One point a board, for the heat of a trip takes minutes to leave: by its curve, so that both are seen.
    point = overcurrent(device, "c" if device.curve == "C" else "d")
    breaker.until(lambda: breaker.number("thermal") <= 25, "cooled down", 300)
    warm = breaker.number("thermal") / 100
    bench.long_delays.rest(device.id)
    hurried = bench.long_delays.trip_time(
        device.id, quantity="amps", value=point.at * device.rating, timeout_s=_HOURS_S
    )
    real = trial.at(point, "amps", device.rating, board=breaker, element="thermal")
    assert hurried.seconds is not None
    assert real.seconds is not None
    wanted = shortened(hurried.seconds, warm)
    apart = abs(real.seconds - wanted)
    expect(apart <= wanted * _TIE_SHARE + _TIE_S, f"{wanted:.2f} s as in virtual time", said(real))
    latched(breaker, OVERCURRENT, (1,))


def shortened(seconds: float, warm: float, tau: float = 100.0) -> float:
    """A thermal trip time from cold, when the element starts at the share `warm` of its trip instead."""
    rise = 1 / (1 - math.exp(-seconds / tau))  # steady heat of this current, in units of the trip's
    return tau * math.log((rise - warm) / (rise - 1))


@pytest.mark.check("between the limits the trip time falls with the current", "脱扣时间随电流单调下降")
@pytest.mark.needs("injector.amps", "virtual_time")
def test_curve(bench: Bench, device: Device, measures: Measures) -> None:
    """from 1.5 In upwards, never slower; all points are in the picture"""
    hurried = bench.long_delays
    assert isinstance(hurried, HurriedInjector)
    found = hurried.trip_times(device.id, "amps", [x * device.rating for x in _SWEEP], _HOURS_S)
    times = [math.inf if one.seconds is None else one.seconds for one in found]
    points = [(x, seconds) for x, seconds in zip(_SWEEP, times, strict=True) if math.isfinite(seconds)]
    measures.curves[device.id] = [(round(x, 4), round(seconds, 4)) for x, seconds in points]
    expect(times == sorted(times, reverse=True), "times that fall", times)
    expect(times[0] < math.inf and times[-1] < 0.1, "a trip at 1.5 In, and below 0.1 s at the end", times)


@pytest.mark.check("an overload is told before it opens", "过载先报警后脱扣")
@pytest.mark.needs("injector.amps")
def test_overload_alarm(bench: Bench, device: Device, breaker: Board) -> None:
    """the alarm at 1.2 In within 15 s, the breaker closed; no alarm any more when it is over"""
    bench.injector.apply(device.id, amps=1.2 * device.rating)
    breaker.until(lambda: breaker.value("overload"), "told the overload", 15)
    expect(breaker.value("closed") is True, "a closed breaker", "an open one")
    bench.injector.rest(device.id)
    breaker.until(lambda: breaker.value("overload") is False, "ended the alarm", 30)


@pytest.mark.check("a hot terminal is told, and opens nothing", "端子过热报警但不脱扣")
@pytest.mark.needs("injector.celsius")
@pytest.mark.only(fitted="ntc")
def test_temperature_alarm(bench: Bench, device: Device, breaker: Board) -> None:
    """the alarm at 95 degrees within 40 s; gone when it has cooled"""
    bench.injector.apply(device.id, celsius=95.0)
    breaker.until(lambda: breaker.value("temperature_alarm"), "told the hot terminal", 40)
    expect(breaker.value("closed") is True, "a closed breaker", "an open one")
    bench.injector.rest(device.id)
    breaker.until(lambda: breaker.value("temperature_alarm") is False, "ended the alarm", 60)


@pytest.mark.smoke
@pytest.mark.check("a trip stays latched until somebody re-arms it at the lever", "脱扣闭锁，手柄复位后解除")
@pytest.mark.needs("injector.amps")
@pytest.mark.only(fitted="fast_output")
def test_latch(bench: Bench, device: Device, breaker: Board) -> None:
    """cause and count kept when the fault is over; the lever ends the cause and keeps the count"""
    before = breaker.number("trip_count")
    amps = 22.0 * device.rating
    found = bench.injector.trip_time(device.id, quantity="amps", value=amps, timeout_s=10)
    expect(found.seconds is not None, "a trip", said(found))
    breaker.until(lambda: breaker.value("cause") == INSTANTANEOUS, "latched its cause", 5)
    bench.injector.rest(device.id)
    expect(breaker.number("trip_count") == before + 1, f"{before + 1:g} trips counted", breaker.value("trip_count"))
    step = Words("the latch lets go by itself: do not mount this breaker", "闭锁自行释放：不得安装")
    breaker.until(lambda: breaker.number("trip_age") > 2000, "counted the time since the trip", 10)
    expect(breaker.value("cause") == INSTANTANEOUS, "the cause still latched after 2 s", breaker.value("cause"), step)
    expect(breaker.value("tripped") is True, "tripped", breaker.value("tripped"), step)
    make_ready(bench, device, breaker)
    expect(breaker.number("trip_count") == before + 1, "the count kept", breaker.value("trip_count"))


def latched(board: Board, cause: int, by: tuple[int, ...]) -> None:
    """Expect that the record names the element and who opened."""
    board.until(lambda: board.value("tripped"), "latched its trip", 5)
    expect(board.value("cause") == cause, f"cause {cause}", board.value("cause"))
    expect(board.number("trip_by") in by, f"opened by one of {by}", board.value("trip_by"))
