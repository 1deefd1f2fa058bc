"""Commissioning boards that are not as they should be: no REPL, no room, other files than written; and the signer."""

import hashlib
import json
import os
import pty
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from gateway.tests.fake_clock import FakeClock
from provisioning import commission as work
from provisioning import repl
from provisioning.claims import Claims
from provisioning.device_keys import open_keys
from provisioning.journal import Journal
from provisioning.plan import Plan, PlanRow
from provisioning.repl import Look, Repl
from provisioning.settings import slot_bytes
from provisioning.trouble import Trouble

ROW = PlanRow(2, "b1", "p", "c", "gewu-breaker", 16, "C", 1, None, None, False)
FIRMWARE = {"app.mpy": b"app" * 900, "main.py": b"import start"}
SIGNER, OTHER = "ab" * 256, "cd" * 256


class Played:
    """A board behind its REPL. `free` bytes; `forgets`: a file that it does not keep as it was written."""

    def __init__(self, free: int = 1_000_000, forgets: str = "") -> None:
        self.free, self.forgets = free, forgets
        self.flash: dict[str, bytes] = {}

    def __call__(self, port: str) -> "Played":
        return self

    def __enter__(self) -> "Played":
        return self

    def __exit__(self, *_: object) -> None: ...

    def look(self) -> Look:
        files = {name: hashlib.sha256(data).hexdigest() for name, data in self.flash.items()}
        slots = {
            n: json.loads(data.split(b"\n")[0])
            for n, data in self.flash.items()
            if n.startswith("settings") and data != b"torn"
        }
        newest: dict[str, Any] = max(slots.values(), key=lambda slot: int(slot["seq"]), default={})
        told = tuple((name, int(slot["seq"]), str(slot["serial"])) for name, slot in slots.items())
        return Look("uid1", "micropython", (1, 25, 0), 6, self.free, files, told, signer=newest.get("signer", ""))

    def write(self, name: str, data: bytes) -> None:
        self.flash[name] = b"torn" if name == self.forgets else data

    def remove(self, names: list[str]) -> None:
        for name in names:
            self.flash.pop(name, None)

    def restart(self) -> None: ...

    def lines(self, seconds: float) -> Iterator[bytes]:
        yield from ()


def commission(folder: Path, board: Played, monkeypatch: pytest.MonkeyPatch, signer: str | None = None) -> str:
    """The code of its trouble."""
    monkeypatch.setattr(work, "Repl", board)
    with Journal(folder / "j", FakeClock()) as journal:
        common: dict[str, dict[str, Any]] = {"breaker": {}, "sensor": {}}
        keys = open_keys(folder / "keys", FakeClock())
        batch = work.Batch(FIRMWARE, common, signer, Claims(Plan((ROW,)), journal.lines), keys, journal)
        (row,) = work.commission(batch, ["port"], lambda *_: None)
    return (row.trouble or "").partition(":")[0]


def test_a_board_without_room_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before anything is written; one that has the firmware needs no more room for it."""
    board = Played(free=60_000)
    assert commission(tmp_path, board, monkeypatch) == "board-full"
    assert board.flash == {}
    board.flash |= FIRMWARE
    assert commission(tmp_path, board, monkeypatch) == "self-test-failed"  # it got all, and reports nothing


@pytest.mark.parametrize("name", [*FIRMWARE, "settings.a"])
def test_what_the_board_does_not_keep_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """By its own hashes, of firmware and settings."""
    assert commission(tmp_path, Played(forgets=name), monkeypatch) == "not-loaded"


def test_a_board_that_comes_again_keeps_its_signer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless another one, or none, is asked for; a stranger's signer is not taken over."""
    board = Played()

    def signer() -> str:
        return board.look().signer

    commission(tmp_path, board, monkeypatch, SIGNER)
    assert signer() == SIGNER
    before = dict(board.flash)
    commission(tmp_path, board, monkeypatch)
    assert board.flash == before
    commission(tmp_path, board, monkeypatch, OTHER)
    assert signer() == OTHER
    commission(tmp_path, board, monkeypatch, "")
    assert signer() == ""

    stranger = Played()
    slot = {"role": "breaker", "serial": "uid1", "address": 9, "rating": 16, "signer": SIGNER}
    stranger.flash["settings.a"] = slot_bytes(slot, 2)
    (tmp_path / "other").mkdir()
    commission(tmp_path / "other", stranger, monkeypatch)
    assert stranger.look().signer == ""


def test_a_port_without_a_repl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is there and says something else: a named code, the next step, and the port is given back."""
    monkeypatch.setattr(repl, "_SILENCE_S", 0.3)
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        with (
            pytest.raises(Trouble, match=r"^no-micropython: no MicroPython answers at .*; flash it first"),
            Repl(os.ttyname(slave)),
        ):
            pass
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TransportExecError(1, "Traceback:\nOSError: [Errno 28] ENOSPC"), "board-full"),
        (TransportExecError(1, "Traceback:\nOSError: 28"), "board-full"),
        (TransportExecError(1, "Traceback:\nMemoryError: "), "not-loaded"),
        (TransportError("timeout"), "unplugged"),
        (OSError(5, "gone"), "unplugged"),
    ],
)
def test_what_a_board_refuses_has_a_code(error: Exception, code: str) -> None:
    """mpremote's own errors, each with its plain cause."""

    class Line:
        def exec(self, source: str) -> bytes:
            raise error

    board = object.__new__(Repl)
    board._port, board._line = "port", cast(SerialTransport, Line())
    with pytest.raises(Trouble, match=f"^{code}: "):
        board.write("app.mpy", b"x")
