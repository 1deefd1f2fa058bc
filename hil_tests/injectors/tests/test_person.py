"""A person with a stopwatch: what is asked, in which order, and what is made of the answers."""

from typing import Any

import pytest

from hil_tests.hil.bench_file import InjectorTable
from hil_tests.injectors.choice import open_injector
from hil_tests.injectors.injector import Injector, InstrumentTrouble


class Script:
    """A console whose person answers as written; `asked` is what was said to them."""

    def __init__(self, *answers: bool | float) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def do(self, task: str) -> None:
        self.asked.append(task)

    def sees(self, question: str) -> bool:
        self.asked.append(question)
        answer = self.answers.pop(0)
        assert isinstance(answer, bool), question
        return answer

    def reads(self, what: str, unit: str) -> float:
        self.asked.append(f"{what} [{unit}]")
        answer = self.answers.pop(0)
        assert not isinstance(answer, bool), what
        return answer


def person(console: Script, **settings: Any) -> Injector:
    table = InjectorTable(kind="person", circuits={"b1": 1}, amps_at_most=100, reaction_s=0.5, **settings)
    return open_injector(table, None, console)


SAFE, CLOSED, OPENED, OFF = True, True, True, True


def test_a_trip_step_by_step() -> None:
    """Safety first, the test set off before it is wired, off at the end; the reaction is the time's uncertainty."""
    console = Script(SAFE, CLOSED, OPENED, 27.4, 40.6, OFF)
    found = person(console).trip_time("b1", quantity="amps", value=40.8, timeout_s=60.0)
    assert (found.seconds, found.uncertainty_s, found.value) == (27.4, 0.5, 40.6)
    assert found.value_uncertainty == pytest.approx(0.406)
    assert "isolated" in console.asked[0]
    assert console.asked[1].startswith("Test set OFF. Set its current to 40.8 A")
    assert "60 s, switch the test set off" in console.asked[3]
    assert console.asked[-1] == "Is the test set off?"


def test_a_breaker_that_held_has_no_time() -> None:
    """The stopwatch is not asked for."""
    console = Script(SAFE, CLOSED, False, 18.1, OFF)
    assert person(console).trip_time("b1", quantity="amps", value=18.08, timeout_s=3600.0).seconds is None
    assert not any("stopwatch show" in words for words in console.asked)


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ((False,), "Make it safe first"),
        ((SAFE, False), "close it"),
        ((SAFE, CLOSED, OPENED, 10.0, 4.08, OFF), "were wanted and 4.08 A were read"),
        ((SAFE, CLOSED, OPENED, 1000.0, 40.8, OFF), "cannot be"),
        ((SAFE, CLOSED, OPENED, 10.0, 40.8, False), "switch it off at its mains"),
    ],
)
def test_what_judges_no_breaker(answers: tuple[bool | float, ...], sentence: str) -> None:
    """Not safe, not closed, a slip of the pen, a stopwatch that ran on, a test set that is still on."""
    console = Script(*answers)
    with pytest.raises(InstrumentTrouble, match=sentence):
        person(console).trip_time("b1", quantity="amps", value=40.8, timeout_s=60.0)
    assert console.answers == []


def test_limits_are_looked_at_before_anybody_is_asked() -> None:
    """More than allowed, or a circuit that is not wired: nobody is told to set it."""
    console = Script()
    for circuit, amps in (("b1", 101.0), ("b2", 10.0)):
        with pytest.raises(InstrumentTrouble):
            person(console).apply(circuit, amps=amps)
    assert console.asked == []


def test_what_flows_is_switched_off_at_the_end_and_asked_for_once() -> None:
    """Safety is asked once; what was never switched on need not be switched off."""
    console = Script(SAFE, OFF)
    injector = person(console)
    injector.close()
    assert console.asked == []
    injector.apply("b1", amps=6.0)
    injector.close()
    assert [words for words in console.asked if "OFF" in words] == ["Switch the test set OFF."]
    injector.close()
    assert console.answers == []
    assert "0.5 s of reaction" in injector.describe()["uncertainty"]
