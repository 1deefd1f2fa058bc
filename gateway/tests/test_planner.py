"""The planner against brute force over every way to cut the due registers into requests."""

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.bus.planner import Planner, Request
from gateway.bus.wire import Wire
from gateway.profile import Profile, Register


def profile_of(spans: list[tuple[str, int, int]], most: int = 125, gap: bool = True, write_only: int = -1) -> Profile:
    """Registers of (kind, address, size); the one numbered `write_only` cannot be read."""
    rows = [
        {"name": f"r{index}", "kind": kind, "address": address}
        | ({"type": "bool"} if kind == "coil" else {"type": "string", "length": size})
        | ({"access": "w", "poll": "never"} if index == write_only else {})
        for index, (kind, address, size) in enumerate(spans)
    ]
    return Profile.model_validate({"profile": {"name": "p", "max_registers": most, "gap": gap}, "register": rows})


@st.composite
def layouts(draw: st.DrawFn) -> tuple[Profile, list[Register]]:
    """A profile of up to seven registers with random gaps and limits, and some of them due."""
    spans, address = [], 0
    kind = draw(st.sampled_from(["coil", "holding"]))
    for _ in range(draw(st.integers(1, 7))):
        address += draw(st.sampled_from([0, 0, 1, 3, 6, 9, 40, 700]))
        size = 1 if kind == "coil" else draw(st.integers(1, 4))
        spans.append((kind, address, size))
        address += size
    write_only = draw(st.integers(-1, len(spans) - 1)) if kind == "holding" else -1
    profile = profile_of(spans, draw(st.sampled_from([4, 9, 125])), draw(st.booleans()), write_only)
    readable = [register for register in profile.registers if register.readable]
    due = draw(st.lists(st.sampled_from(readable), unique_by=lambda r: r.name)) if readable else []
    return profile, due


def allowed(profile: Profile, run: list[Register]) -> bool:
    span = range(run[0].address, run[-1].end)
    if len(span) > (2000 if run[0].kind == "coil" else profile.head.max_registers):
        return False
    readable = {a for r in profile.registers if r.readable for a in range(r.address, r.end)}
    forbidden = {a for r in profile.registers if not r.readable for a in range(r.address, r.end)}
    return all(a not in forbidden and (profile.head.gap or a in readable) for a in span)


def brute_force(profile: Profile, due: list[Register], wire: Wire) -> float:
    """The least wire time over all 2^(n-1) cuts of the due registers in order of address."""
    ordered = sorted(due, key=lambda r: r.address)
    best = float("inf")
    for count in range(len(ordered)):
        for cuts in combinations(range(1, len(ordered)), count):
            edges = [0, *cuts, len(ordered)]
            runs = [ordered[a:b] for a, b in pairwise(edges)]
            if all(allowed(profile, run) for run in runs):
                best = min(best, sum(wire.read(run[0].kind, run[-1].end - run[0].address) for run in runs))
    return best if ordered else 0.0


@settings(max_examples=100, deadline=None)
@given(layouts(), st.sampled_from([9600, 38400, 115200]))
def test_plans_cost_the_least_wire_time_there_is(layout: tuple[Profile, list[Register]], baud: int) -> None:
    """No way to cut the due registers into allowed requests is faster than the plan, and the plan is allowed."""
    profile, due = layout
    wire = Wire(baud)
    requests, cost = Planner(profile, wire).plan(due)
    assert abs(cost - brute_force(profile, due, wire)) < 1e-9
    assert sorted(r.name for request in requests for r in request.registers) == sorted(r.name for r in due)
    for request in requests:
        assert allowed(profile, list(request.registers))
        assert request.address == request.registers[0].address
        assert request.address + request.count == request.registers[-1].end


def test_a_small_gap_is_read_through_and_a_large_one_is_not() -> None:
    """At 9600 baud a second request costs 20 ms and a register 2 ms: 5 undefined registers are read along, 30 not."""
    profile = profile_of([("input", 0, 2), ("input", 7, 2), ("input", 39, 2)])
    requests, _ = Planner(profile, Wire(9600)).plan(profile.registers)
    assert [(request.address, request.count) for request in requests] == [(0, 9), (39, 2)]


def test_without_gaps_only_undefined_registers_split_a_request() -> None:
    """A defined register that is not due may be read along; an undefined one may not."""
    profile = profile_of([("input", 0, 1), ("input", 1, 1), ("input", 2, 1), ("input", 4, 1)], gap=False)
    first, _, third, fourth = profile.registers
    requests, _ = Planner(profile, Wire(9600)).plan([first, third, fourth])
    assert requests == (Request("input", 0, 3, (first, third)), Request("input", 4, 1, (fourth,)))


def test_each_kind_has_requests_of_its_own() -> None:
    """Coils and holding registers at the same addresses are read by different functions."""
    profile = profile_of([("coil", 0, 1), ("holding", 0, 1)])
    requests, _ = Planner(profile, Wire(9600)).plan(profile.registers)
    assert [request.kind for request in requests] == ["coil", "holding"]
