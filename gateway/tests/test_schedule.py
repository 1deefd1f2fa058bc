"""The order of a bus, on a simulated line: time passes only by what the formula says a request costs."""

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass, field

import pytest

from gateway.bus.schedule import PERIODS, SILENT_AFTER, Schedule, Turn, retry_after
from gateway.bus.wire import Wire
from gateway.profile import Profile, load

TIMEOUT = 0.33


def meter(poll: str = "normal", registers: int = 10) -> Profile:
    """A device of somebody else's: one class, no identity."""
    rows = [{"name": f"r{n}", "kind": "holding", "address": n, "type": "u16", "poll": poll} for n in range(registers)]
    return Profile.model_validate({"profile": {"name": "meter"}, "register": rows})


@dataclass
class Bench:
    """A bus that answers at wire speed; devices in `dead` never do."""

    profiles: list[Profile]
    baud: int = 9600
    dead: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.wire = Wire(self.baud)
        self.now = 0.0
        self.schedule = Schedule(self.profiles, self.wire, 0.0)
        self.read: dict[tuple[int, str], list[float]] = defaultdict(list)
        self.dead_time = 0.0
        self.busy = 0.0

    def run(self, until: float) -> None:
        while self.now < until:
            turn = self.schedule.next(self.now)
            if not isinstance(turn, Turn):
                self.now = min(turn, until)
                continue
            self.take(turn)

    def take(self, turn: Turn) -> None:
        started = self.now
        if turn.device in self.dead:
            self.now += TIMEOUT
            self.dead_time += TIMEOUT
            self.schedule.failed(turn.device, self.now, TIMEOUT)
            return
        cost = sum(self.wire.read(request.kind, request.count) for request in turn.requests) or 0.04
        self.now += cost
        self.busy += cost
        if turn.contact:
            self.schedule.contacted(turn.device, self.now)
            return
        for group in turn.groups:
            self.read[turn.device, group.poll].append(started)
        self.schedule.answered(turn, self.now, cost)

    def longest_wait(self, device: int, poll: str, since: float = 0.0) -> float:
        times = [time for time in self.read[device, poll] if time >= since]
        return max(b - a for a, b in itertools.pairwise(times))


def test_each_class_is_read_in_its_period_when_there_is_time() -> None:
    """On a fast bus with one breaker, every class comes as often as promised, and once means once. What is cheaper
    read with the alarms waits for the next of them."""
    bench = Bench([load("gewu-breaker")], baud=115200)
    bench.run(130)
    for poll, period in PERIODS.items():
        waits = 0.0 if poll == "alarm" else PERIODS["alarm"]
        assert bench.longest_wait(0, poll, since=1) <= period + waits + 0.05, poll
    assert max(bench.read[0, "once"]) < 1  # holding and input registers at the start, and never again


def test_what_is_due_together_is_read_together() -> None:
    """The live block of a breaker is one request: alarm, fast and normal registers come in one turn."""
    bench = Bench([load("gewu-breaker")])
    first = bench.schedule.next(0.0)
    assert isinstance(first, Turn)
    assert first.contact
    bench.take(first)
    turn = bench.schedule.next(bench.now)
    assert isinstance(turn, Turn)
    assert {group.poll for group in turn.groups if group.kind == "input"} >= {"alarm", "fast", "normal", "slow"}
    live = max(register.end for register in load("gewu-breaker").registers if register.poll == "alarm")
    (request,) = [request for request in turn.requests if request.kind == "input" and request.address == 0]
    assert request.count >= live
    assert turn.requests[0].kind == "input"  # what the turn is for goes first


def test_alarms_that_fill_the_bus_leave_a_share_for_the_others() -> None:
    """30 breakers saturate 9600 baud with alarms; two meters on it are still read about as often as asked."""
    bench = Bench([load("gewu-breaker")] * 30 + [meter("normal"), meter("slow", 60)])
    bench.run(240)
    assert bench.busy / bench.now > 0.95  # it is saturated
    assert bench.longest_wait(30, "normal", since=20) < 4.2 * PERIODS["normal"]
    assert bench.longest_wait(31, "slow", since=20) < 4.2 * PERIODS["slow"]
    sweep = bench.longest_wait(0, "alarm", since=20)
    assert sweep < 5.5  # 30 live blocks of 38 registers and 110 ms, and 30 % for the others


def test_no_lower_class_starves_another() -> None:
    """Fast registers that saturate the bus do not keep a slow one from being read within a few periods."""
    bench = Bench([meter("fast", 125) for _ in range(8)] + [meter("slow", 1)])
    bench.run(600)
    assert bench.longest_wait(8, "slow", since=1) < 5 * PERIODS["slow"]


@pytest.mark.parametrize("profile", ["gewu-breaker", "meter"])
def test_one_dead_device_of_32_hardly_slows_the_others(profile: str) -> None:
    """The others' alarm period grows by at most 10 %, and the dead one costs at most 5 % of the bus (fault D3)."""
    kind = load(profile) if profile != "meter" else meter("fast")

    def sweep(dead: set[int]) -> tuple[float, Bench]:
        bench = Bench([kind] * 32, dead=dead)
        bench.run(20)
        bench.dead_time = 0.0
        bench.run(170)
        alive = [times for (device, poll), times in bench.read.items() if device < 31 and poll in ("alarm", "fast")]
        return 150 / (sum(sum(t >= 20 for t in times) for times in alive) / len(alive)), bench

    without, _ = sweep(set())
    with_one, bench = sweep({31})
    assert bench.dead_time / 150 <= 0.05
    assert with_one <= without * 1.10


def test_many_dead_devices_share_one_budget() -> None:
    """Ten of 20 dead: all trials together stay within 5 % once they count as silent."""
    bench = Bench([load("gewu-breaker")] * 20, dead=set(range(10)))
    bench.run(60)
    bench.dead_time = 0.0
    bench.run(360)
    assert bench.dead_time / 300 <= 0.051


def test_with_nobody_alive_there_is_no_budget_to_spare() -> None:
    """When nothing else is to do, silent devices are asked as often as their back-off says."""
    bench = Bench([load("gewu-breaker")] * 4, dead={0, 1, 2, 3})
    bench.run(120)
    assert bench.dead_time / TIMEOUT >= 4 * 7


def test_a_device_that_comes_back_is_read_whole() -> None:
    """After being lost, everything is due again, what is read once included, and its neighbours are tried at once."""
    bench = Bench([load("gewu-breaker")] * 3, dead={1, 2})
    bench.run(40)
    bench.schedule.lost(1)
    bench.schedule.lost(2)
    bench.dead.clear()
    bench.run(120)
    once = bench.read[1, "once"]
    assert max(once) - min(once) < 1
    first, second = bench.read[1, "alarm"][0], bench.read[2, "alarm"][0]
    assert max(first, second) <= 40 + 30 + 7
    assert abs(first - second) < 7


def test_a_single_failure_costs_little() -> None:
    """One bad answer delays a device by 0.2 s; one that can be mistaken for its successor, by a quarantine."""
    assert retry_after(1, answers_apart=True) == 0.2
    assert retry_after(1, answers_apart=False) == 1.0
    waits = [retry_after(n, True) for n in range(1, 12)]
    assert waits == sorted(waits)
    assert waits[-1] == 30.0
    assert sum(waits[: SILENT_AFTER - 1]) + 2 * 0.33 >= 2.0  # long enough to be called lost at the third failure


def test_an_empty_bus_has_nothing_to_do() -> None:
    """Without devices there is no turn, ever."""
    assert Schedule([], Wire(9600), 0.0).next(5.0) == math.inf


def test_what_a_device_does_not_have_is_left_out_until_it_returns() -> None:
    """Excluded registers are not read; after being lost (new firmware?) they are tried again."""
    bench = Bench([meter("fast", 3)])
    bench.run(0.5)
    bench.schedule.exclude(0, ["r2"])
    bench.now = 2.0
    turn = bench.schedule.next(bench.now)
    assert isinstance(turn, Turn)
    assert [request.count for request in turn.requests] == [2]
    bench.schedule.lost(0)
    bench.schedule.failed(0, 2.0, 0.3)
    bench.schedule.contacted(0, 3.0)
    turn = bench.schedule.next(3.0)
    assert isinstance(turn, Turn)
    assert [request.count for request in turn.requests] == [3]


def test_a_journal_delays_no_alarm_by_more_than_one_exchange() -> None:
    """Read in the class slow, an exchange a turn: on a full bus it stays within the share of the lower classes."""
    quiet, busy = Bench([meter("alarm", 40)] * 8), Bench([meter("alarm", 40)] * 8)
    for bench in (quiet, busy):
        bench.run(5.0)
    exchange, turns = 0.06, 0
    busy.schedule.owe_journal(3, exchange, busy.now)
    while busy.now < 60.0:
        turn = busy.schedule.next(busy.now)
        assert isinstance(turn, Turn)
        if not turn.journal:
            busy.take(turn)
            continue
        assert (turn.device, turn.requests) == (3, ())
        turns += 1
        busy.now += exchange
        busy.schedule.answered(turn, busy.now, exchange)
    quiet.run(60.0)
    assert turns * exchange <= 0.35 * 55
    assert busy.longest_wait(0, "alarm", since=6) <= quiet.longest_wait(0, "alarm", since=6) * 1.6
    busy.schedule.journal_read(3)
    busy.run(70.0)
    assert turns > 50
