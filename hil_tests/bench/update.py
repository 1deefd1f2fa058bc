"""A whole signed update over the bus of virtual boards, by each way, timed from its begin to the new image's start.

Function 15h, the 10h mailbox, and one broadcast stream with the bitmaps of what each board lacks; where the power of a
board is cut in the middle, the transfer goes on where it was. It judges no bundle: the boards do.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from gateway import profile
from gateway.bus.command import registers
from gateway.bus.transport import Line
from gateway.bus.wire import Wire
from gateway.clock import SystemClock
from gateway.errors import GewuError
from hil_tests.bench.row import Row
from hil_tests.rig.flash import fill, settings_of
from hil_tests.rig.site import Board, Bus, parse_site
from hil_tests.rig.village import Village
from provisioning import firmware_build, firmware_bundle
from provisioning.board_update import BoardUpdate, State
from provisioning.settings import slot_bytes

BAUD = 115200
_BITS = 10  # of a character, 8N1
_T35_S = 0.00175
_NEW = "99.0.0"
_PATIENCE_S = 1.0
_REST_S = 0.012  # after a broadcast block: its wire time is 22 ms, and the board stores four in the time of four
_TURNS = 60
_PROFILE = profile.load("gewu-breaker")

Progress = Callable[[str], None]
# Way, how many boards, and whether the power is cut in the middle.
WAYS = (("15h", 1, False), ("10h", 1, False), ("10h", 1, True), ("broadcast", 2, False))


def measure(progress: Progress, ways: Sequence[tuple[str, int, bool]] = WAYS) -> Iterator[Row]:
    """Rows of each way in turn, each with boards of its own."""
    signing = rsa.generate_private_key(65537, 2048)
    bundle, key = release(signing), os.urandom(32)
    given = {"key": key.hex(), "signer": firmware_bundle.signer(signing)}

    def load(folder: Path, board: Board, bus: Bus) -> None:
        fill(folder, board, bus)
        (folder / "settings.a").write_bytes(slot_bytes(settings_of(board, bus) | given, 1))

    units = iter(range(1, 248))
    taken = [[next(units) for _ in range(count)] for _way, count, _cut in ways]
    rows: list[dict[str, Any]] = [
        {"id": f"u{unit}", "address": unit, "current": 6.0} for group in taken for unit in group
    ]
    site = parse_site({"bus": [{"name": "fast", "baud": BAUD, "board": rows}]}, "bench")
    with tempfile.TemporaryDirectory() as folder, Village(site, Path(folder), load=load) as village:
        line = Line("fast", village.state()["buses"][0]["port"], Wire(BAUD), _PATIENCE_S)
        try:
            for (way, count, cut), group in zip(ways, taken, strict=True):
                many = f"{count} board{'s' * (count > 1)}"
                said = f"update, {way}{', power cut' if cut else ''}, {len(bundle)} bytes, {many}"
                progress(said)
                boards = [BoardUpdate(line, unit, _PROFILE, key, SystemClock(), way) for unit in group]
                yield from _way(way, boards, line, bundle, said, village if cut else None)
        finally:
            line.close()


def release(signing: rsa.RSAPrivateKey) -> bytes:
    """The whole firmware as a signed update with a version above every other."""
    with tempfile.TemporaryDirectory() as folder:
        files = {path.name: path.read_bytes() for path in firmware_build.build(Path(folder))}
        source = Path(folder) / "version.py"
        source.write_text(f"VERSION = b'{_NEW}'\n", encoding="ascii")
        firmware_build.compile_module(source, source.with_suffix(".mpy"), "version")
        files["version.mpy"] = source.with_suffix(".mpy").read_bytes()
    return firmware_bundle.bundle(files, _NEW, signing)


class _Half(Exception):
    """Half of the blocks are there."""


def _way(
    way: str, boards: list[BoardUpdate], line: Line, bundle: bytes, case: str, cutting: Village | None
) -> Iterator[Row]:
    """Transfer, check and start, each timed; `cutting` cuts the power once half of the blocks were sent."""
    blocks = list(firmware_bundle.blocks(bundle))
    began = time.monotonic()
    for board in boards:
        board.begin(bundle)
    started = time.monotonic()
    if cutting is not None:
        sent = sum(_half(board, bundle, cutting) + board.transfer(bundle) for board in boards)
    elif way == "broadcast":
        sent = _broadcast(boards, line, blocks)
    else:
        sent = sum(board.transfer(bundle) for board in boards)
    there = time.monotonic()
    for board in boards:
        board.install()
    checked = time.monotonic()
    for board in boards:
        board.start(_NEW)
    wire = _wire_s(way, len(blocks))
    yield Row(case=case, metric="transfer_s", value=round(there - started, 2), unit="s", peer=round(wire, 2))
    yield Row(case=case, metric="blocks_sent_again", value=sent - len(blocks), unit="")
    yield Row(case=case, metric="check_s", value=round(checked - there, 2), unit="s")
    yield Row(case=case, metric="whole_s", value=round(time.monotonic() - began, 2), unit="s")


def _half(board: BoardUpdate, bundle: bytes, village: Village) -> int:
    """Half of the blocks, a cut of power, and a new begin; how many were sent."""
    sent = 0

    def told(done: int, count: int) -> None:
        nonlocal sent
        if done >= count // 2:
            raise _Half
        sent += 1

    try:
        board.transfer(bundle, told=told)
    except _Half:
        village.inject(f"u{board.unit}", {"kill": "1"})
    board.until(lambda: board.state() == State.NONE, "came back from the cut")
    board.begin(bundle)
    return sent


def _broadcast(boards: list[BoardUpdate], line: Line, blocks: list[bytes]) -> int:
    """To all at once, until no board lacks a block; how many were sent."""
    places, sent = boards[0].places, 0
    for _turn in range(_TURNS):
        lacking = sorted({number for board in boards for number in board.missing(len(blocks))})
        if not lacking:
            return sent
        for number in lacking:
            at = places.block_register + number * places.block_words
            line.broadcast_registers(at, registers(blocks[number]), _REST_S)
        sent += len(lacking)
    raise GewuError(f"{len(lacking)} blocks did not arrive in {_TURNS} turns.")


def _wire_s(way: str, blocks: int) -> float:
    """What the wire alone needs: request, answer and both silences of each block (a broadcast has no answer)."""
    request, answer, pauses = {"15h": (252, 252, 2), "10h": (249, 8, 2), "broadcast": (249, 0, 1)}[way]
    return blocks * ((request + answer) * _BITS / BAUD + pauses * _T35_S)
