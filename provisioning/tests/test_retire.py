"""How far the proof goes that a board was wiped over its bus: what was seen, and nothing beyond it."""

from typing import Any, cast

import pytest

from gateway import profile
from gateway.bus import mailbox
from gateway.bus.command import Code
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble
from gateway.bus.wire import Wire
from gateway.errors import ConfigurationError, GewuError, TryAgain
from gateway.tests.fake_clock import FakeClock
from provisioning import retire
from provisioning.history import Past
from provisioning.plan import PlanRow

ROW = PlanRow(2, "b1", "p", "c", "gewu-breaker", 16, "C", 1, None, None, False)
BREAKER = profile.load("gewu-breaker")


class Played:
    """A line with one board. `deaf`: no answer to the command; `comes`: the chip that shows up as from the factory."""

    def __init__(self, baud: int = 9600, deaf: bool = False, obeys: bool = True, comes: str = "") -> None:
        self.wire = Wire(baud)
        self.deaf, self.obeys, self.comes, self.wiped = deaf, obeys, comes, False

    def identity(self, unit: int) -> dict[int, str]:
        if unit == 1 and not self.wiped:
            return {0: "Gewu", 1: "gewu-breaker"}
        if unit == 247 and self.wiped and self.comes:
            return {0: "Gewu", 1: "gewu-unconfigured"}
        raise BusTrouble("no answer", "no-answer", unit)

    def identity_object(self, unit: int, number: int) -> str:
        assert (unit, number) == (247, 0x80)
        return self.comes

    def read(self, unit: int, *_: Any) -> list[int]:
        if unit == 1 and not self.wiped:
            return [0]
        raise BusTrouble("no answer", "no-answer", unit)


def wipe(line: Played, monkeypatch: pytest.MonkeyPatch, uid: str | None = "c1", serial: str = "SN") -> retire.Proof:
    class Box(mailbox.Mailbox):
        def values(self, *names: str) -> dict[str, Any]:
            return {"serial": serial}

        def command(self, code: Code, argument: bytes = b"") -> None:
            assert code == Code.WIPE
            line.wiped = line.obeys
            if line.deaf:
                raise TryAgain("no answer")

    monkeypatch.setattr(retire, "Mailbox", Box)
    return retire.over_bus(cast(Line, line), ROW, Past(uid=uid, serial="SN"), BREAKER, bytes(32), FakeClock())


@pytest.mark.parametrize("deaf", [False, True])
def test_it_comes_back_as_from_the_factory(monkeypatch: pytest.MonkeyPatch, deaf: bool) -> None:
    """With its chip's number; then it does not matter whether its answer was heard."""
    proof = wipe(Played(deaf=deaf, comes="c1"), monkeypatch)
    assert (proof.wiped, "chip c1: as from the factory" in proof.seen) == (True, True)


def test_at_another_speed_its_word_and_its_silence_are_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the record says so; silence alone proves nothing."""
    proof = wipe(Played(19200), monkeypatch)
    assert proof.seen == "SN said that it does, and is silent at address 1"
    with pytest.raises(GewuError, match="look at it over USB"):
        wipe(Played(19200, deaf=True), monkeypatch)


@pytest.mark.parametrize("line", [Played(obeys=False), Played(), Played(comes="another")])
def test_what_was_not_seen_is_not_said(monkeypatch: pytest.MonkeyPatch, line: Played) -> None:
    """It answers as before, never comes, or another fresh board does: not proved."""
    with pytest.raises(GewuError, match="was not seen as from the factory"):
        wipe(line, monkeypatch)


def test_the_right_board_by_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another serial number at the address is not wiped."""
    line = Played(comes="c1")
    with pytest.raises(GewuError, match="board-taken"):
        wipe(line, monkeypatch, serial="SN-OTHER")
    assert not line.wiped
    for ways in (0, 2):
        with pytest.raises(ConfigurationError, match="Say how"):
            retire.check_way(ways)
