"""The self-test's own parts: mutations fit the code, a copy is wounded and never the original, a survivor is named."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway import shipped
from gateway.errors import GewuError
from hil_tests.hil.session import SUITE
from hil_tests.selftest import run as selftest
from hil_tests.selftest.mutations import MUTATIONS, Mutation
from hil_tests.selftest.tree import copied, wound

ROOT = Path(shipped.__file__).parents[1]
WANTED = {"crc", "hysteresis", "trip latch", "outbox commit", "authority window"}


def test_every_mutation_names_a_check_that_exists() -> None:
    """Five wounds, five checks of the suite by name."""
    assert {mutation.name for mutation in MUTATIONS} == WANTED
    for mutation in MUTATIONS:
        suite, _, name = mutation.check.partition("/")
        assert f"def {name}(" in (SUITE / f"check_{suite}.py").read_text(encoding="utf-8"), mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_fits_and_wounds_a_copy_only(mutation: Mutation, tmp_path: Path) -> None:
    """Its text stands once in the code of today, and the original stays as it was."""
    original = (ROOT / mutation.file).read_text(encoding="utf-8")
    copy = tmp_path / mutation.file
    copy.parent.mkdir(parents=True)
    copy.write_text(original, encoding="utf-8")
    wound(tmp_path, mutation)
    assert copy.read_text(encoding="utf-8") == original.replace(mutation.old, mutation.new) != original
    assert (ROOT / mutation.file).read_text(encoding="utf-8") == original


def test_a_mutation_whose_text_is_gone_fails_loudly(tmp_path: Path) -> None:
    """It proves nothing any more, and says where to write it anew."""
    gone = replace(MUTATIONS[0], old="a line that nobody wrote")
    with pytest.raises(GewuError, match="does not fit"), copied(gone):
        pass


def row(monkeypatch: pytest.MonkeyPatch, sound: str, mutant: str) -> selftest.Row:
    """What is made of these two verdicts."""

    def verdicts(mutation: Mutation | None, checks: list[str]) -> tuple[dict[str, dict[str, str]], float]:
        verdict = sound if mutation is None else mutant
        return {check: {"check": check, "verdict": verdict, "came": verdict} for check in checks}, 1.0

    monkeypatch.setattr(selftest, "_verdicts", verdicts)
    (found,) = selftest.run(lambda _: None, MUTATIONS[:1])
    return found


@pytest.mark.parametrize(
    ("sound", "mutant", "caught"),
    [
        ("PASS", "FAIL", True),
        ("PASS", "PASS", False),
        ("FAIL", "FAIL", False),
        ("PASS", "SETUP-ERROR", False),
        ("NOT-RUN", "NOT-RUN", False),
    ],
)
def test_only_green_and_then_red_counts(monkeypatch: pytest.MonkeyPatch, sound: str, mutant: str, caught: bool) -> None:
    """A check that is red anyway, or that could not even run, has caught nothing."""
    assert row(monkeypatch, sound, mutant).caught is caught


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_one_mutant_for_real() -> None:
    """The alarm without hysteresis: green on the sound copy, red on the wounded one, each on boards of its own."""
    mutation = next(one for one in MUTATIONS if one.name == "hysteresis")
    (found,) = selftest.run(lambda _: None, [mutation])
    assert (found.sound, found.mutant, found.caught) == ("PASS", "FAIL", True)
