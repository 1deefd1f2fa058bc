"""The pytest plugin behind `gewu hil`: which test runs on which device, and what became of it.

Loaded by `session` in a child process for each lane. It turns what pytest saw into one Result a test, written as a line
of JSON at once, so that a child that dies has still told everything up to its last test. It renders no report.
"""

import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.bus.trouble import PortTrouble
from gateway.errors import ConfigurationError, GewuError
from gateway.prepared import prepared
from hil_tests.hil.bench import Bench
from hil_tests.hil.bench_file import Device, read_bench
from hil_tests.hil.needs import lacking
from hil_tests.hil.verdict import BenchTrouble, Finding, Measures, NotRun, Result, Verdict
from hil_tests.hil.words import Words
from hil_tests.injectors.injector import InstrumentTrouble

ENVIRONMENT = "GEWU_HIL_JOB"
BENCH = pytest.StashKey[Bench]()
_JOB = pytest.StashKey["Job"]()
_RESULT = pytest.StashKey[Result]()
_BEGAN = pytest.StashKey[float]()
_TRACE_LINES = 40
_BENCH_FAULTS = (InstrumentTrouble, BenchTrouble, PortTrouble, ConfigurationError)
_MARKERS = (
    "check(en, zh): the title for the paper",
    "step(en, zh): what a technician does when it fails",
    "needs(*names): what the bench must have (hil_tests/hil/needs.py)",
    "permission(*names): what the bench file must allow: trip, write, update, power_cut",
    "only(role, fitted): for which devices it is",
    "smoke: part of the quick suite",
)
_NO_DEVICE = Words("this bench has no device that this is for", "此台架没有适用的设备")
_SUITE_FAULT = Words(
    "look at the bench and start again; if it stays, tell the maker", "检查台架后重试；仍失败请联系厂家"
)


@prepared
class Job(msgspec.Struct):
    """What one child does: the bench file, its buses (`wide`: the tests of no bus instead), where results go."""

    bench: str
    lane: list[str]
    wide: bool
    first: bool
    results: str


@prepared
class Line(msgspec.Struct, omit_defaults=True):
    """A line of the results' file: the ids that will run, then each that begins and each Result."""

    collected: list[Result] | None = None
    began: str | None = None
    result: Result | None = None


def pytest_configure(config: pytest.Config) -> None:
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    job = msgspec.json.decode(os.environ[ENVIRONMENT].encode(), type=Job)
    config.stash[_JOB] = job
    config.stash[BENCH] = Bench(read_bench(Path(job.bench)), tuple(job.lane))


def pytest_unconfigure(config: pytest.Config) -> None:
    if BENCH in config.stash:
        config.stash[BENCH].close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for a `device` or a `bus` runs on each of this lane that it is for."""
    bench, job = metafunc.config.stash[BENCH], metafunc.config.stash[_JOB]
    if "bus" in metafunc.fixturenames and "device" not in metafunc.fixturenames:
        buses = [] if job.wide else bench.buses
        metafunc.parametrize("bus", buses or [None], ids=[bus.name for bus in buses] or ["elsewhere"])
    if "device" not in metafunc.fixturenames:
        return
    fits = [device for device in ([] if job.wide else bench.devices) if _for(metafunc.definition, device)]
    if (
        not fits
        and job.first
        and not any(_for(metafunc.definition, device) for bus in bench.file.bus for device in bus.device)
    ):
        metafunc.parametrize("device", [None], ids=["nobody"])
        return
    metafunc.parametrize("device", fits or [None], ids=[device.id for device in fits] or ["elsewhere"])


def _for(definition: pytest.Item, device: Device) -> bool:
    """Whether the test's mark `only` wants this device."""
    wanted: dict[str, Any] = {}
    for mark in definition.iter_markers("only"):
        wanted |= mark.kwargs
    role = device.profile.removeprefix("gewu-")
    return bool(wanted.get("role", role) == role and ("fitted" not in wanted or wanted["fitted"] in device.fitted))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each lane keeps its own: tests of devices and buses in theirs, all others in the wide one."""
    job = config.stash[_JOB]
    kept = [item for item in items if _belongs(item, job)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
    for item in items:
        item.stash[_RESULT] = _blank(item)
    _tell(config, Line(collected=[item.stash[_RESULT] for item in items]))


def _belongs(item: pytest.Item, job: Job) -> bool:
    parameters = _parameters(item)
    if not {"bus", "device"} & set(parameters):
        return job.wide
    return not job.wide and "elsewhere" not in item.name.partition("[")[2]


def _parameters(item: pytest.Item) -> dict[str, Any]:
    spec = getattr(item, "callspec", None)
    return dict(spec.params) if spec is not None else {}


def _device(item: pytest.Item) -> Device | None:
    found = _parameters(item).get("device")
    return found if isinstance(found, Device) else None


def _blank(item: pytest.Item) -> Result:
    device, bus = _device(item), _parameters(item).get("bus")
    suite = Path(item.path).stem.removeprefix("check_")
    mark = item.get_closest_marker("check")
    title = Words(*mark.args) if mark else Words(_promise(item), _promise(item))
    where = device.id if device else bus.name if bus is not None else None
    return Result(id=f"{suite}/{item.name}", suite=suite, title=title, device=where, verdict="NOT-RUN")


def _promise(item: pytest.Item) -> str:
    """What the test's docstring says is expected."""
    text = getattr(getattr(item, "obj", None), "__doc__", None) or item.name
    return " ".join(text.split()).rstrip(".")


def _tell(config: pytest.Config, line: Line) -> None:
    with Path(config.stash[_JOB].results).open("ab") as file:
        file.write(msgspec.json.encode(line) + b"\n")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """What cannot run here is not begun."""
    item.stash[_BEGAN] = time.monotonic()
    _tell(item.config, Line(began=item.stash[_RESULT].id))
    if item.name.endswith("[nobody]"):
        raise NotRun(_NO_DEVICE)
    needs, permissions = (
        [a for mark in item.iter_markers(kind) for a in mark.args] for kind in ("needs", "permission")
    )
    reason = lacking(item.config.stash[BENCH].file, _device(item), needs, permissions)
    if reason is not None:
        raise NotRun(reason)


def _marked(item: pytest.Item, kind: str) -> list[str]:
    return [name for mark in item.iter_markers(kind) for name in mark.args]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    result = item.stash[_RESULT]
    if call.excinfo is not None:
        _note(item, result, call.when, call.excinfo.value)
    elif call.when == "call":
        result.verdict = "PASS"
    if call.when == "teardown":
        result.seconds = round(time.monotonic() - item.stash[_BEGAN], 3)
        _tell(item.config, Line(result=result))
    return report


def _note(item: pytest.Item, result: Result, when: str, error: BaseException) -> None:
    """The first cause stays; what comes after it stands beside it."""
    verdict = verdict_of(when, error)
    if result.reason is not None:
        result.also.append(f"{when}: {_sentence(error)}")
        return
    result.verdict = verdict
    result.reason = error.reason if isinstance(error, NotRun) else _same(_sentence(error))
    if verdict == "NOT-RUN":
        return
    bench = item.config.stash[BENCH]
    probes = [probe for name, probe in bench.probes.items() if any(bus.name == name for bus in bench.buses)]
    lines = [line for probe in probes for line in probe.trace(item.stash[_BEGAN])]
    result.trace = lines[-_TRACE_LINES:]
    result.expected = error.expected if isinstance(error, Finding) else _promise(item)
    result.came = error.came if isinstance(error, Finding) else _sentence(error)
    mark = item.get_closest_marker("step")
    own = error.step if isinstance(error, Finding) else None
    result.step = own or (Words(*mark.args) if mark and verdict == "FAIL" else _SUITE_FAULT)


def verdict_of(when: str, error: BaseException) -> Verdict:
    """What an error says of the device: one that came outside the test itself says nothing of it."""
    if isinstance(error, NotRun | pytest.skip.Exception):
        return "NOT-RUN"
    if when == "call" and isinstance(error, AssertionError | GewuError) and not isinstance(error, _BENCH_FAULTS):
        return "FAIL"
    return "SETUP-ERROR"


def _sentence(error: BaseException) -> str:
    if isinstance(error, GewuError | Finding | NotRun | pytest.skip.Exception):
        return str(error)
    if isinstance(error, AssertionError):
        return (str(error).splitlines() or ["an assertion without words"])[0]
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" in {Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}"
    return f"{type(error).__name__}: {error}{where}"


def _same(text: str) -> Words:
    return Words(text, text)


@pytest.fixture
def measures(request: pytest.FixtureRequest) -> Measures:
    """What this test measures, for the paper."""
    result: Result = request.node.stash[_RESULT]
    return result.measures
