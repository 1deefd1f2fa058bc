"""The machinery of verdicts on a small suite of its own: nothing is touched, no bench is there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hil_tests.hil.bench_file import parse_bench
from hil_tests.hil.session import Plan, run
from hil_tests.hil.verdict import Result

pytestmark = pytest.mark.integration

SUITE = '''
import os
import pytest
from gateway.errors import GewuError
from hil_tests.hil.verdict import NotRun, expect
from hil_tests.hil.words import Words
from hil_tests.injectors.injector import InstrumentTrouble

@pytest.mark.check("it is well", "正常")
def test_pass(device):
    """all is well"""

@pytest.mark.step("turn it", "转动")
def test_fail(device):
    """seven"""
    expect(False, "seven", 6)

def test_silence(device):
    """an answer"""
    raise GewuError("Unit 1 gave no answer.")

def test_instrument(device):
    raise InstrumentTrouble("The test set has no mains.")

def test_bug(device):
    {}["x"]

@pytest.fixture
def broken():
    raise OSError("no port")

@pytest.fixture
def breaks_later():
    yield
    raise OSError("the fuse went")

def test_setup(device, broken):
    pass

def test_teardown(device, breaks_later):
    pass

def test_first_cause(device, breaks_later):
    assert 1 == 2, "one is not two"

@pytest.mark.permission("trip")
def test_forbidden(device):
    raise AssertionError("it ran")

@pytest.mark.needs("second_person")
def test_alone(device):
    raise AssertionError("it ran")

def test_cannot(device):
    raise NotRun(Words("it rains", "下雨"))

@pytest.mark.only(role="sensor")
def test_sensors(device):
    raise AssertionError("it ran")

def test_of_the_bus(bus):
    pass

def test_of_nothing():
    pass
'''
DYING = """
import os

def test_before(device):
    pass

def test_dies(device):
    os._exit(7)

def test_never_comes(device):
    pass
"""


def suite(folder: Path, text: str) -> dict[str, Result]:
    """The results of a suite on a desk with one breaker, by test and object."""
    (folder / "check_own.py").write_text(text, encoding="utf-8")
    device = {"id": "b1", "address": 1}
    document = {
        "bench": {"name": "x", "kind": "desk"},
        "bus": [{"name": "a", "port": "/nowhere", "device": [device]}],
    }
    told: list[object] = []
    results = run(parse_bench(document, "test", folder), Plan(folder=folder), told.append)
    assert told
    return {result.id.removeprefix("own/test_"): result for result in results}


def test_each_verdict_with_its_cause(tmp_path: Path) -> None:
    """What a test did is one of four verdicts; the first cause stays; what did not run says why."""
    found = suite(tmp_path, SUITE)
    assert {name: result.verdict for name, result in found.items()} == {
        "pass[b1]": "PASS",
        "fail[b1]": "FAIL",
        "silence[b1]": "FAIL",
        "instrument[b1]": "SETUP-ERROR",
        "bug[b1]": "SETUP-ERROR",
        "setup[b1]": "SETUP-ERROR",
        "teardown[b1]": "SETUP-ERROR",
        "first_cause[b1]": "FAIL",
        "forbidden[b1]": "NOT-RUN",
        "alone[b1]": "NOT-RUN",
        "cannot[b1]": "NOT-RUN",
        "sensors[nobody]": "NOT-RUN",
        "of_the_bus[a]": "PASS",
        "of_nothing": "PASS",
    }
    said: Callable[[str], str] = lambda name: str(found[name].reason)  # noqa: E731
    assert found["pass[b1]"].title.zh == "正常"
    failed = found["fail[b1]"]
    assert (failed.expected, failed.came, str(failed.step)) == ("seven", "6", "turn it")
    assert (found["silence[b1]"].expected, found["silence[b1]"].came) == ("an answer", "Unit 1 gave no answer.")
    assert said("instrument[b1]") == "The test set has no mains."
    assert said("bug[b1]").startswith("KeyError: 'x' in check_own.py:")
    assert "no port" in said("setup[b1]")
    assert "the fuse went" in said("teardown[b1]")
    assert "one is not two" in said("first_cause[b1]")
    assert "the fuse went" in found["first_cause[b1]"].also[0]
    assert "allow_trip" in said("forbidden[b1]")
    assert "second person" in said("alone[b1]")
    assert said("cannot[b1]") == "it rains"


def test_a_suite_that_dies_leaves_no_pass_behind(tmp_path: Path) -> None:
    """What was done stands; what was promised and never came is a SETUP-ERROR with the status."""
    found = suite(tmp_path, DYING)
    assert {name: result.verdict for name, result in found.items()} == {
        "before[b1]": "PASS",
        "dies[b1]": "SETUP-ERROR",
        "never_comes[b1]": "SETUP-ERROR",
    }
    assert "ended with 7" in str(found["never_comes[b1]"].reason)


def test_a_suite_that_cannot_be_read_is_no_pass(tmp_path: Path) -> None:
    """A SETUP-ERROR with the words of whoever could not read it."""
    found = suite(tmp_path, "import nothing_of_that_name\n")
    assert {result.verdict for result in found.values()} == {"SETUP-ERROR"}
    assert any("nothing_of_that_name" in str(result.reason) for result in found.values())
