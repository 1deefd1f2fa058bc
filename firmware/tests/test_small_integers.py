"""The arithmetic of protection and metering in integers of an ESP32: 31 bits, or the heap is needed.

MicroPython's unix port has 63-bit small integers and would not notice. So the real modules run here once more,
under CPython, with numbers that refuse to grow; on_board/ tests what they compute.
"""

import importlib
import operator
import sys
import types
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from gateway import shipped

_LIMIT = 1 << 30


class Narrow(int):
    """An integer that raises OverflowError where an ESP32 would need the heap."""

    def __new__(cls, value: int) -> "Narrow":
        if not -_LIMIT <= value < _LIMIT:
            raise OverflowError(value)
        return super().__new__(cls, value)


def _narrowed(function: Callable[..., int], swap: bool) -> Callable[..., Any]:
    def method(self: int, *others: int) -> Any:
        values = [int(self), *map(int, others)]
        return Narrow(function(*(reversed(values) if swap else values)))

    return method


for _name in ("add", "sub", "mul", "floordiv", "mod", "lshift", "rshift", "and", "or", "xor"):
    _function = getattr(operator, f"{_name}_" if _name in ("and", "or") else _name)
    setattr(Narrow, f"__{_name}__", _narrowed(_function, False))
    setattr(Narrow, f"__r{_name}__", _narrowed(_function, True))
for _name in ("neg", "abs", "invert"):
    setattr(Narrow, f"__{_name}__", _narrowed(getattr(operator, _name), False))


class NarrowBytes(bytearray):
    """A buffer whose bytes are Narrow."""

    def __getitem__(self, index: Any) -> Any:
        return Narrow(super().__getitem__(index))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """load(name): a firmware module under CPython, with MicroPython's `const` and ticks in place."""
    micropython = types.ModuleType("micropython")
    micropython.const = lambda value: value  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "micropython", micropython)
    monkeypatch.setattr("time.ticks_diff", operator.sub, raising=False)
    monkeypatch.setattr("time.ticks_add", operator.add, raising=False)

    # The firmware's modules import one another by their bare names, and leave with the test.
    monkeypatch.syspath_prepend(str(shipped.firmware()))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if (shipped.firmware() / f"{name}.py").is_file():
            del sys.modules[name]


def test_narrow_notices_what_an_esp32_cannot_hold() -> None:
    """The check itself can fail: 63000 * 63000 is the textbook case."""
    with pytest.raises(OverflowError):
        Narrow(63000) * 63000
    assert isinstance(5 + Narrow(7), Narrow)


@pytest.mark.parametrize("rating", [1, 6, 63, 125])
@pytest.mark.parametrize("curve", ["B", "C", "D"])
def test_a_protection_step_stays_small(load: Callable[[str], ModuleType], rating: int, curve: str) -> None:
    """From nothing to far beyond what any shunt can show, hot and cold, late and in time; every element at work."""
    protection = load("protection")
    chosen = load("protection_settings").parse({"residual": 30, "undervoltage_trip": 50, "temperature_trip": 60})
    guard = protection.Protection(Narrow(rating), curve, chosen, True, Narrow(0))
    seen = protection.Inputs()
    seen.alive = True
    now = 0
    for hundredths in (0, 100, 113, 1413, 1499, 1500, 1501, 1599, 1600, 1900, 5000, 100_000):
        seen.current = Narrow(min(hundredths * rating * 10, 5_000_000))
        for elapsed in (1, 20, 100, 400, 9_900, 60_000, 86_400_000):
            now = (now + elapsed) % _LIMIT
            seen.sample = Narrow(now)
            seen.voltage = Narrow(hundredths % 5000)
            seen.residual = Narrow(min(hundredths, 65_533))
            seen.temperature = Narrow(hundredths % 3000 - 1000)
            guard._last = Narrow(now - elapsed)
            guard.step(Narrow(now), seen)
            guard.close_refusal()
    assert isinstance(guard.thermal._left, Narrow)
    assert guard.thermal.permille() == 2000
    assert guard.trip_count > 0


@pytest.mark.parametrize(("shunt", "divider"), [(10, 20_000), (12, 3824), (100, 3824), (1600, 3824), (100_000, 100)])
@pytest.mark.parametrize("fill", [0x00, 0x01, 0x7F, 0x80, 0xFF])
def test_a_frame_of_any_content_stays_small(
    load: Callable[[str], ModuleType], shunt: int, divider: int, fill: int
) -> None:
    """Even a frame full of ones, with every shunt and divider that the settings allow."""
    meter = load("bl0942").Bl0942(None, shunt, divider, Narrow(0))
    meter._milliamp.mantissa = Narrow(meter._milliamp.mantissa)
    frame = NarrowBytes([0x55] + [fill] * 22)
    frame[16:18] = (20_000).to_bytes(2, "little")
    meter._buffer = frame
    meter._use(Narrow(500))
    assert meter.sequence + meter.implausible == 1


@pytest.mark.parametrize(
    ("shunt", "divider"), [(11, 20_000), (12, 20_000), (12, 5789), (100, 5789), (1600, 5789), (100_000, 100)]
)
@pytest.mark.parametrize("fill", [0x00, 0x01, 0x7F, 0x80, 0xFF])
def test_an_answer_of_any_content_stays_small(
    load: Callable[[str], ModuleType], shunt: int, divider: int, fill: int
) -> None:
    """The ADE7953's registers full of ones, with every shunt and divider that the settings allow."""
    module = load("ade7953")
    meter = module.Ade7953(None, shunt, divider, Narrow(0))
    meter._check = 3
    for top in (0x00, 0xFF):
        for register in sorted(set(module._PLAN)):
            meter._register = register
            meter._data = NarrowBytes([fill, fill, fill, top])
            meter._judge(Narrow(500))
    assert isinstance(meter.sequence, int)
    assert meter.damaged >= 1
