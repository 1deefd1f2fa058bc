"""A whole run: the suite in lanes, each a child process, its results gathered while they come.

A lane is the buses that one child tests; the wide lane has the tests of no bus. Lanes run beside one another only
where nobody has to be asked and the injector serves all: on a virtual bench. A child that dies leaves SETUP-ERRORs
behind, with its last words. It judges nothing and renders nothing.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hil_tests.brokers import end_with_parent
from hil_tests.hil.bench_file import BenchFile, write_bench
from hil_tests.hil.plugin import ENVIRONMENT, Job, Line
from hil_tests.hil.verdict import Result
from hil_tests.hil.words import Words

SUITE = Path(__file__).parents[1] / "suite"
_LOOK_S = 0.1
_LAST_WORDS = 600

Told = Callable[[Line], None]


@dataclass
class Plan:
    """What is run. `suites`: names such as "modbus", all when empty; `folder`: where the checks lie; `only`: these
    checks alone, such as "modbus/test_wrong_crc".
    """

    smoke: bool = False
    suites: Sequence[str] = ()
    only: Sequence[str] = ()
    folder: Path = SUITE
    most_lanes: int = field(default_factory=lambda: max(2, os.cpu_count() or 1) + 2)


def run(bench: BenchFile, plan: Plan, told: Told) -> list[Result]:
    """Every Result, in the order of the suite. `told` hears each line of the children, from several threads."""
    with tempfile.TemporaryDirectory(prefix="gewu-hil-") as folder:
        file = Path(folder) / "bench.toml"
        write_bench(bench, file)
        lanes = [_Lane(Path(folder), file, [bus.name], number == 0) for number, bus in enumerate(bench.bus)]
        lanes.append(_Lane(Path(folder), file, [], False))
        width = plan.most_lanes if bench.bench.kind == "virtual" else 1
        with ThreadPoolExecutor(width) as pool:
            try:
                found = list(pool.map(lambda lane: lane.run(plan, told), lanes))
            except KeyboardInterrupt:
                for lane in lanes:
                    lane.interrupt()
                raise
    order = {name: place for place, name in enumerate(suites(plan))}
    results = [result for lane in found for result in lane]
    return sorted(results, key=lambda result: order.get(result.suite, len(order)))


def suites(plan: Plan) -> list[str]:
    """The suites' names, in the order in which the paper has them."""
    known = [path.stem.removeprefix("check_") for path in sorted(plan.folder.glob("check_*.py"))]
    ordered = [name for name in ORDER if name in known]
    return ordered + [name for name in known if name not in ordered]


ORDER = (
    "identity", "modbus", "protection", "alarms", "metering", "journal", "authority", "update", "power", "traffic",
    "store", "path", "gateway", "camera",
)  # fmt: skip
"""The order of the paper, and of each lane: what moves nothing first, what wears most last."""


class _Lane:
    """One child and what it told."""

    def __init__(self, folder: Path, bench: Path, buses: list[str], first: bool) -> None:
        name = "-".join(buses) or "wide"
        self._results, self._log = folder / f"{name}.results", folder / f"{name}.log"
        self._job = Job(str(bench), buses, not buses, first, str(self._results))
        self._expected: dict[str, Result] = {}
        self._done: dict[str, Result] = {}
        self._read = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._ended = False

    def interrupt(self) -> None:
        """End it in order: what it injects comes to rest, what it started ends."""
        self._ended = True
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(signal.SIGINT)

    def run(self, plan: Plan, told: Told) -> list[Result]:
        self._results.touch()
        if self._ended:
            return []
        with self._log.open("wb") as log:
            child = self._child = subprocess.Popen(
                _command(plan),
                env=os.environ | {ENVIRONMENT: msgspec.json.encode(self._job).decode(), **_ALONE},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
            )
        try:
            while child.poll() is None:
                self._hear(told)
                time.sleep(_LOOK_S)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
        self._hear(told)
        return self._whole(child.returncode, told)

    def _hear(self, told: Told) -> None:
        with self._results.open("rb") as file:
            file.seek(self._read)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return
                self._read += len(raw)
                line = msgspec.json.decode(raw, type=Line)
                self._expected |= {one.id: one for one in line.collected or ()}
                if line.result is not None:
                    self._done[line.result.id] = line.result
                told(line)

    def _whole(self, status: int, told: Told) -> list[Result]:
        """What was told, and a SETUP-ERROR for all that was promised and never came."""
        words = self._log.read_text(encoding="utf-8", errors="replace").strip()[-_LAST_WORDS:]
        sentence = f"the suite's process ended with {status} before this was done: {words or 'it said nothing'}"
        if status not in (0, 1, 5) and not self._expected:
            lost = Result(id=f"suite/{self._results.stem}", suite="suite", title=_LOST, device=None, verdict="NOT-RUN")
            self._expected[lost.id] = lost
        for name, result in self._expected.items():
            if name not in self._done:
                result.verdict = "SETUP-ERROR"
                result.reason, result.came, result.step = Words(sentence, sentence), sentence, _AGAIN
                self._done[name] = result
                told(Line(result=result))
        return list(self._done.values())


_AGAIN = Words("start it again; if it dies again, tell the maker", "重新启动；若再次中断请联系厂家")
_LOST = Words("the suite starts", "测试程序启动")
_ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONUNBUFFERED": "1"}


def _command(plan: Plan) -> list[str]:
    chosen = [name for name in suites(plan) if not plan.suites or name in plan.suites]
    return [
        *(sys.executable, "-P", "-m", "pytest"),
        *("-c", str(SUITE / "pytest.ini"), "--rootdir", str(plan.folder), "--confcutdir", str(plan.folder)),
        *("-p", "hil_tests.hil.plugin", "-p", "no:cacheprovider", "-q"),
        *(("-m", "smoke") if plan.smoke else ()),
        *(_checks(plan) if plan.only else (str(plan.folder / f"check_{name}.py") for name in chosen)),
    ]


def _checks(plan: Plan) -> list[str]:
    """pytest's names of `plan.only`."""
    apart = (one.partition("/") for one in plan.only)
    return [f"{plan.folder / f'check_{suite}.py'}::{name}" for suite, _, name in apart]
