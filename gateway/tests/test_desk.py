"""The desk over a real outbox: who is believed, what is carried out, once, in time; what stands against it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import GewuError
from gateway.records import Event, rfc3339
from gateway.tests.command_samples import Bench, order

MakeBench = Callable[..., Bench]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeBench]:
    made: list[Bench] = []

    def build(**options: Any) -> Bench:
        made.append(Bench(tmp_path, **options))
        return made[-1]

    yield build
    for bench in made:
        bench.close()


def test_an_order_is_carried_out_read_back_audited_and_answered(make: MakeBench) -> None:
    """Done means that the contact was read open; the audit has who, what, why and the result."""
    bench = make()
    reply = bench.send(bench.order())
    assert reply is not None
    assert (reply["result"], reply["why"], reply["readback"]["closed"]) == ("done", "", False)
    assert bench.breaker.moves == ["open"]
    assert [row["what"] for row in bench.audit()] == ["armed", "accepted", "done"]
    assert bench.audit()[1] | {"issuer": "duty", "reason": "smoke in unit 2", "device": "b1"} == bench.audit()[1]
    assert bench.events() == []


@pytest.mark.parametrize("times", [1, 2, 100])
def test_e1_delivered_often_it_is_done_once(make: MakeBench, times: int) -> None:
    """The same reply each time, across a restart too, also after it has expired."""
    bench = make()
    payload = bench.order()
    replies = [bench.send(payload) for _ in range(times)]
    bench.restart()
    bench.clock.now += 3600
    replies.append(bench.send(payload))
    assert replies == [replies[0]] * (times + 1)
    assert bench.breaker.frames == 1


def test_e2_after_its_expiry_nothing_moves(make: MakeBench) -> None:
    """Expired is the reply, the relay is not touched, the audit and an event say so."""
    bench = make()
    payload = bench.order()
    bench.clock.now += 61
    reply = bench.send(payload)
    assert reply is not None
    assert reply["result"] == "expired"
    assert bench.breaker.frames == 0
    assert bench.audit()[-1]["what"] == "expired"
    assert bench.events() == [("security.command", True), ("security.command", False)]


class PowerCut(BaseException):
    """The machine stops here: nothing after it runs."""


@pytest.mark.parametrize("action", ["open", "close"])
@pytest.mark.parametrize("carried_out", [True, False])
def test_e3_a_power_cut_between_the_write_and_its_result(make: MakeBench, action: str, carried_out: bool) -> None:
    """At the next start the state is read, the reply tells it, and no frame is ever sent a second time."""
    bench = make()
    bench.breaker.values["closed"] = action == "open"
    write = bench.breaker.write_registers

    def cut(unit: int, address: int, values: Any) -> None:
        if carried_out:
            write(unit, address, values)
        raise PowerCut

    bench.breaker.write_registers = cut  # type: ignore[method-assign]
    payload = bench.order(action, "chief", _approvers(action))
    with pytest.raises(PowerCut):
        bench.send(payload)
    bench.breaker.write_registers = write  # type: ignore[method-assign]
    bench.restart()
    bench.breaker.silent = True  # the bus is not there at once
    assert bench.send(payload) is None
    bench.breaker.silent = False
    bench.clock.now += 5
    bench.desk.step()
    (reply,) = bench.replies
    assert reply["result"] == ("done" if carried_out else "failed")
    assert reply["readback"]["closed"] is ((action == "close") is carried_out)
    assert bench.breaker.frames == carried_out
    assert bench.send(payload) == reply
    bench.clock.now += 3600
    bench.desk.step()
    assert bench.breaker.frames == carried_out


def _approvers(action: str) -> tuple[str, ...]:
    return ("second", "third") if action == "close" else ()


@pytest.mark.parametrize("lost", [["answer"], ["frame"], ["frame", "frame"], ["frame", "answer"]])
def test_e4_a_lost_reply_is_read_back_before_any_retry(make: MakeBench, lost: list[str]) -> None:
    """However the write is lost, the breaker moves once, and the reply is what was read."""
    bench = make()
    bench.breaker.lose = list(lost)
    reply = bench.send(bench.order())
    assert reply is not None
    assert (reply["result"], reply["readback"]["closed"]) == ("done", False)
    assert bench.breaker.moves == ["open"]
    assert bench.breaker.frames == 1


def test_e4_a_breaker_that_never_answers_is_unknown(make: MakeBench) -> None:
    """Nobody claims anything of it, and nothing is sent in the dark again and again."""
    bench = make()
    bench.breaker.silent = True
    reply = bench.send(bench.order())
    assert reply is not None
    assert reply["result"] == "unknown"
    assert bench.breaker.frames == 0


def test_strangers_learn_nothing_and_fill_nothing(make: MakeBench) -> None:
    """Forged, altered, oversized, foreign topic, no JSON: no reply, one row at once, then one each ten seconds."""
    bench = make()
    right = bench.order()
    altered = right.replace(b'"open"', b'"close"')
    forged = order(bench.clock.wall_ms(), by="nobody")
    wrong_approval = json.loads(bench.order(approved=("chief",)))
    wrong_approval["approvals"][0]["at"] = rfc3339(0)
    for payload in (altered, forged, b"x" * 20_000, b"{}", b"[]", b"\xff", json.dumps(wrong_approval).encode()):
        assert bench.send(payload, name=json.loads(right)["id"]) is None
    assert bench.send(right, name="00000000-0000-0000-0000-000000000099") is None
    assert bench.desk.counts["strangers"] == 8
    assert [row["what"] for row in bench.audit()] == ["armed", "not accepted"]
    bench.clock.now += 11
    bench.desk.step()
    assert bench.audit()[-1]["more"] == 7
    assert [kind for kind, raises in bench.events() if raises] == ["security.command"] * 2
    assert bench.breaker.frames == 0


def test_a_counter_works_once(make: MakeBench) -> None:
    """Another command with the same or a lower counter is refused, after a restart too; a higher one is not."""
    bench = make()
    bench.send(bench.order(counter=5))
    bench.restart()
    for number, counter, result in ((2, 5, "refused"), (3, 4, "refused"), (4, 6, "done")):
        reply = bench.send(bench.order("identify", number=number, counter=counter))
        assert reply is not None
        assert reply["result"] == result
    assert "take one above 5" in bench.replies[1]["why"]


def test_one_id_is_one_command(make: MakeBench) -> None:
    """A second envelope with the id of the first is refused, and the first keeps its answer."""
    bench = make()
    first = bench.send(bench.order())
    other = bench.send(bench.order("identify", counter=2))
    assert other is not None
    assert (other["result"], other["why"]) == ("refused", "another command had this id")
    assert bench.send(bench.order()) == first


def test_until_it_is_armed_on_site_every_command_is_a_dry_run(make: MakeBench) -> None:
    """All checks, no movement; who arms it is in the audit, and it stays armed over a restart."""
    bench = make(armed=False)
    reply = bench.send(bench.order())
    assert reply is not None
    assert reply["why"].startswith("dry run")
    bench.desk.arm(True, "Li")
    bench.restart()
    done = bench.send(bench.order(number=2))
    assert done is not None
    assert done["result"] == "done"
    assert [(row["what"], row.get("by")) for row in bench.audit()][1] == ("armed", "Li")


def test_three_operations_in_ten_minutes(make: MakeBench) -> None:
    """The fourth is refused, over a restart too; ten minutes later it is not."""
    bench = make()
    for number in range(1, 5):
        bench.breaker.values["closed"] = True
        if number == 4:
            bench.restart()
        bench.send(bench.order(number=number, counter=number))
    assert [reply["result"] for reply in bench.replies] == ["done", "done", "done", "refused"]
    bench.clock.now += 601
    bench.send(bench.order(number=5, counter=5))
    assert bench.replies[-1]["result"] == "done"


def test_two_approvals_close(make: MakeBench) -> None:
    """With all conditions met; the approvals are in the audit."""
    bench = make()
    bench.breaker.values["closed"] = False
    reply = bench.send(bench.order("close", "chief", ("second", "third")))
    assert reply is not None
    assert (reply["result"], reply["readback"]["closed"]) == ("done", True)
    assert [one["issuer"] for one in bench.audit()[1]["approvals"]] == ["second", "third"]


def test_one_approval_waits_for_somebody_on_site(make: MakeBench) -> None:
    """It moves when it is confirmed there; not before, not after its time, not after a restart."""
    bench = make()
    bench.breaker.values["closed"] = False
    payload = bench.order("close", "chief", ("second",))
    assert bench.send(payload) is None
    assert bench.send(payload) is None
    (waiting,) = bench.desk.state()["waiting"]
    with pytest.raises(GewuError, match="No command"):
        bench.desk.confirm("00000000-0000-0000-0000-000000000099", "Li")
    bench.desk.confirm(waiting["id"], "Li")
    bench.desk.step()
    assert [reply["result"] for reply in bench.replies] == ["done"]
    assert bench.breaker.moves == ["close"]

    bench.breaker.values["closed"] = False
    bench.send(bench.order("close", "chief", ("second",), number=2, counter=2))
    bench.clock.now += 61
    bench.desk.step()
    assert bench.replies[-1]["result"] == "expired"
    last = bench.order("close", "chief", ("second",), number=3, counter=3)
    bench.send(last)
    bench.restart()
    reply = bench.send(last)
    assert reply is not None
    assert (reply["result"], "stopped" in reply["why"]) == ("failed", True)
    assert bench.send(last) == reply
    assert bench.breaker.moves == ["close"]


def test_e3_a_power_cut_after_the_confirmation(make: MakeBench) -> None:
    """What was confirmed and then cut off is looked at like any other; nobody says that it never began."""
    bench = make()
    bench.breaker.values["closed"] = False
    payload = bench.order("close", "chief", ("second",))
    bench.send(payload)
    write = bench.breaker.write_registers

    def cut(unit: int, address: int, values: Any) -> None:
        write(unit, address, values)
        raise PowerCut

    bench.breaker.write_registers = cut  # type: ignore[method-assign]
    bench.desk.confirm(bench.desk.state()["waiting"][0]["id"], "Li")
    with pytest.raises(PowerCut):
        bench.desk.step()
    bench.breaker.write_registers = write  # type: ignore[method-assign]
    bench.restart()
    bench.breaker.silent = True
    assert bench.send(payload) is None
    bench.breaker.silent = False
    bench.clock.now += 5
    bench.desk.step()
    assert [(reply["result"], reply["readback"]["closed"]) for reply in bench.replies] == [("done", True)]
    assert bench.breaker.moves == ["close"]


def test_a_gateway_disarmed_in_between_closes_nothing(make: MakeBench) -> None:
    """Whoever disarms it on site means what waits as well."""
    bench = make()
    bench.breaker.values["closed"] = False
    bench.send(bench.order("close", "chief", ("second",)))
    bench.desk.arm(False, "Li")
    bench.desk.confirm(bench.desk.state()["waiting"][0]["id"], "Li")
    bench.desk.step()
    assert (bench.replies[0]["result"], bench.breaker.moves) == ("refused", [])


def test_the_reply_has_the_id_as_it_was_given(make: MakeBench) -> None:
    """In capitals too, on the topic and inside; the same command in small letters is another envelope with its id."""
    bench = make()
    reply = bench.send(bench.order("identify", id="0000000A-0000-0000-0000-00000000000B"))
    assert reply is not None
    assert (reply["id"], reply["result"]) == ("0000000A-0000-0000-0000-00000000000B", "done")
    other = bench.send(bench.order("identify", id="0000000a-0000-0000-0000-00000000000b", counter=2))
    assert other is not None
    assert other["result"] == "refused"


def test_a_trip_in_between_stops_a_confirmed_close(make: MakeBench) -> None:
    """What was allowed when it came is looked at again when it is confirmed."""
    bench = make()
    bench.breaker.values["closed"] = False
    bench.send(bench.order("close", "chief", ("second",)))
    bench.breaker.values["cause"] = 3
    bench.desk.confirm(bench.desk.state()["waiting"][0]["id"], "Li")
    bench.desk.step()
    assert "residual current; the cause must be cleared on site" in bench.replies[-1]["why"]
    assert bench.breaker.moves == []


def test_a_trip_that_only_the_outbox_remembers_counts(make: MakeBench) -> None:
    """A board that was replaced shows no trip; the event that is still open does."""
    bench = make()
    bench.breaker.values["closed"] = False
    event = Event(
        id="t", kind="trip.temperature", grade=2, device="b1", place="", raised=0, cleared=None, mono=0, clock="trusted"
    )
    bench.outbox.accept_event(event, "1")
    reply = bench.send(bench.order("close", "chief", ("second", "third")))
    assert reply is not None
    assert "over-temperature" in reply["why"]


def test_a_breaker_that_is_not_as_ordered_is_a_red_event(make: MakeBench) -> None:
    """The board says done and its contact does not follow: failed, red; cleared by the next order that works."""
    bench = make()
    bench.breaker.stuck = True
    reply = bench.send(bench.order())
    assert reply is not None
    assert (reply["result"], reply["readback"]["closed"]) == ("failed", True)
    assert bench.events() == [("command.mismatch", True)]
    bench.breaker.stuck = False
    bench.restart()
    bench.send(bench.order(number=2, counter=2))
    assert bench.events()[1:] == [("command.mismatch", False)]


def test_what_the_board_refuses_is_its_own_word(make: MakeBench) -> None:
    """Its reason is the reply's."""
    bench = make()
    bench.breaker.values["closed"] = False
    bench.breaker.refuses = 24
    reply = bench.send(bench.order("close", "chief", ("second", "third")))
    assert reply is not None
    assert (reply["result"], reply["why"]) == ("refused", "refused: too soon after the trip")


def test_the_other_actions(make: MakeBench) -> None:
    """identify blinks, acknowledge quietens, set changes settings with a second person's word."""
    bench = make()
    cases: list[tuple[str, str, tuple[str, ...], dict[str, Any], Any]] = [
        ("identify", "duty", (), {"seconds": 20}, {"identify_seconds": 20}),
        ("acknowledge", "duty", (), {}, {"silence": True}),
        ("set", "tech", ("other",), {"rating": 20}, {}),
    ]
    for number, (action, by, approved, params, wanted) in enumerate(cases, 1):
        reply = bench.send(bench.order(action, by, approved, number=number, counter=number, params=params))
        assert reply is not None
        assert (reply["result"], reply["readback"]) == ("done", wanted)
    assert bench.breaker.moves == ["set"]


def test_too_many_at_once_are_refused_before_they_are_read(make: MakeBench) -> None:
    """The desk's queue is bounded."""
    bench = make()
    for _ in range(100):
        bench.desk.hear("x", b"", bench.publish)
    with pytest.raises(ValueError, match="wait already"):
        bench.desk.hear("x", b"", bench.publish)
