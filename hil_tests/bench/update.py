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
from gateway.bus.command import Code, explain
from gateway.errors import GewuError
from gateway.profile import Profile
from gateway.profile.model import Mailbox
from hil_tests.bench.row import Row
from hil_tests.hil.board import DONE, Board
from hil_tests.rig.flash import fill, settings_of
from hil_tests.rig.master import Master
from hil_tests.rig.site import Board as VirtualBoard
from hil_tests.rig.site import Bus, parse_site
from hil_tests.rig.village import Village
from provisioning import firmware_build, firmware_bundle
from provisioning.settings import slot_bytes

BAUD = 115200
_BITS = 10  # of a character, 8N1
_T35_S = 0.00175
_NEW = "99.0.0"
_BROADCAST_S = 0.035  # the wire time of a block is 22 ms; the board stores four in the time of four
_TURNS = 60
_RECEIVING, READY, _FAILED = 2, 4, 5
_PROFILE = profile.load("gewu-breaker")

Progress = Callable[[str], None]
# Way, how many boards, and whether the power is cut in the middle.
WAYS = (("15h", 1, False), ("10h", 1, False), ("10h", 1, True), ("broadcast", 2, False))


class Updated(Board):
    """One board that takes an update: its blocks beside all that a board can do. `awaited`: the update's release."""

    def __init__(
        self, master: Master, unit: int, key: bytes, serial: str = "", profile: Profile = _PROFILE, awaited: str = _NEW
    ) -> None:
        super().__init__(master, unit, profile, serial or f"u{unit}", key)
        assert profile.mailbox is not None
        self.box: Mailbox = profile.mailbox
        self.awaited = awaited

    def ordered(self, code: Code, argument: bytes = b"") -> None:
        """Done, or GewuError with the board's reason."""
        if (result := self.command(code, argument)) != DONE:
            raise GewuError(f"Unit {self.unit}, {code.name}: {explain(result)}")

    def begin(self, bundle: bytes) -> None:
        self.ordered(Code.BEGIN, firmware_bundle.begin_argument(bundle))
        self.until(lambda: self.value("update_state") == _RECEIVING, "began to receive")

    def missing(self, count: int) -> list[int]:
        """The blocks that it lacks, by its bitmap."""
        words = self.master.registers(self.unit, self.box.block_register, 30, 3)
        return firmware_bundle.missing(b"".join(word.to_bytes(2, "big") for word in words), count)

    def send(self, way: str, number: int, block: bytes) -> None:
        if way == "10h":
            self.master.write(self.unit, self.box.block_register + number * self.box.block_words, block)
            return
        head = bytes((self.unit, 0x15, 7 + len(block), 6)) + (self.box.block_file + number).to_bytes(2, "big")
        self.master.demand(head + b"\0\0" + (len(block) // 2).to_bytes(2, "big") + block)

    def install(self) -> None:
        """Checked and written, not yet tried."""
        self.until(lambda: self.value("update_missing") == 0, "had all blocks")
        self.ordered(Code.INSTALL)
        self.until(lambda: self.value("update_state") in (READY, _FAILED), "came to a verdict")
        if trouble := self.value("update_trouble"):
            raise GewuError(f"Unit {self.unit} refused the update: trouble {trouble}.")

    def start(self) -> None:
        """Restarted, and the new image answers. Whether it stays it decides by itself, ten seconds later."""
        self.ordered(Code.RESTART)
        self.until(lambda: self.release() == self.awaited, "started with the update")


def measure(progress: Progress, ways: Sequence[tuple[str, int, bool]] = WAYS) -> Iterator[Row]:
    """Rows of each way in turn, each with boards of its own."""
    signing = rsa.generate_private_key(65537, 2048)
    bundle, key = release(signing), os.urandom(32)
    given = {"key": key.hex(), "signer": firmware_bundle.signer(signing)}

    def load(folder: Path, board: VirtualBoard, bus: Bus) -> None:
        fill(folder, board, bus)
        (folder / "settings.a").write_bytes(slot_bytes(settings_of(board, bus) | given, 1))

    units = iter(range(1, 248))
    taken = [[next(units) for _ in range(count)] for _way, count, _cut in ways]
    rows: list[dict[str, Any]] = [
        {"id": f"u{unit}", "address": unit, "current": 6.0} for group in taken for unit in group
    ]
    site = parse_site({"bus": [{"name": "fast", "baud": BAUD, "board": rows}]}, "bench")
    with (
        tempfile.TemporaryDirectory() as folder,
        Village(site, Path(folder), load=load) as village,
        Master(village.state()["buses"][0]["port"]) as master,
    ):
        for (way, count, cut), group in zip(ways, taken, strict=True):
            said = f"update, {way}{', power cut' if cut else ''}, {len(bundle)} bytes, {count} board{'s' * (count > 1)}"
            progress(said)
            boards = [Updated(master, unit, key) for unit in group]
            yield from _way(way, boards, bundle, said, village if cut else None)


def release(signing: rsa.RSAPrivateKey) -> bytes:
    """The whole firmware as a signed update with a version above every other."""
    with tempfile.TemporaryDirectory() as folder:
        files = {path.name: path.read_bytes() for path in firmware_build.build(Path(folder))}
        source = Path(folder) / "version.py"
        source.write_text(f"VERSION = b'{_NEW}'\n", encoding="ascii")
        firmware_build.compile_module(source, source.with_suffix(".mpy"), "version")
        files["version.mpy"] = source.with_suffix(".mpy").read_bytes()
    return firmware_bundle.bundle(files, _NEW, signing)


def _way(way: str, boards: list[Updated], bundle: bytes, case: str, cutting: Village | None) -> Iterator[Row]:
    """Transfer, check and start, each timed; `cutting` cuts the power once half of the blocks were sent."""
    blocks = list(firmware_bundle.blocks(bundle))
    began = time.monotonic()
    for board in boards:
        board.begin(bundle)
    started = time.monotonic()
    sent = transfer(way, boards, blocks[: len(blocks) // 2], len(blocks))
    for board in boards if cutting else ():
        assert cutting is not None
        cutting.inject(f"u{board.unit}", {"kill": "1"})
        board.until(lambda board=board: board.value("update_state") == 0, "came back from the cut")  # type: ignore[misc]
        board.begin(bundle)
    sent += transfer(way, boards, blocks, len(blocks))
    there = time.monotonic()
    for board in boards:
        board.install()
    checked = time.monotonic()
    for board in boards:
        board.start()
    wire = _wire_s(way, len(blocks))
    yield Row(case=case, metric="transfer_s", value=round(there - started, 2), unit="s", peer=round(wire, 2))
    yield Row(case=case, metric="blocks_sent_again", value=sent - len(blocks), unit="")
    yield Row(case=case, metric="check_s", value=round(checked - there, 2), unit="s")
    yield Row(case=case, metric="whole_s", value=round(time.monotonic() - began, 2), unit="s")


def transfer(way: str, boards: list[Updated], blocks: list[bytes], count: int) -> int:
    """Until no board lacks one of these blocks; how many were sent."""
    sent = 0
    for _turn in range(_TURNS):
        lacking = sorted({number for board in boards for number in board.missing(count) if number < len(blocks)})
        if not lacking:
            return sent
        for number in lacking:
            if way == "broadcast":
                box = boards[0].box
                boards[0].master.write(0, box.block_register + number * box.block_words, blocks[number])
                time.sleep(_BROADCAST_S)
            else:
                boards[0].send(way, number, blocks[number])
        sent += len(lacking)
    raise GewuError(f"{len(lacking)} blocks did not arrive in {_TURNS} turns.")


def _wire_s(way: str, blocks: int) -> float:
    """What the wire alone needs: request, answer and both silences of each block (a broadcast has no answer)."""
    request, answer, pauses = {"15h": (252, 252, 2), "10h": (249, 8, 2), "broadcast": (249, 0, 1)}[way]
    return blocks * ((request + answer) * _BITS / BAUD + pauses * _T35_S)
