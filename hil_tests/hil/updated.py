"""A board under test that takes an update: the suite's own client, so that the product's is not proved by itself."""

from gateway.bus.command import Code, explain
from gateway.errors import GewuError
from gateway.profile import Profile
from gateway.profile.model import Mailbox
from hil_tests.hil.board import DONE, Board
from hil_tests.rig.master import Master
from provisioning import firmware_bundle

READY = 4
_RECEIVING, _FAILED = 2, 5
_TURNS = 60


class Updated(Board):
    """One board that takes an update: its blocks beside all that a board can do. `awaited`: the update's release."""

    def __init__(self, master: Master, unit: int, key: bytes, serial: str, profile: Profile, awaited: str) -> None:
        super().__init__(master, unit, profile, serial, key)
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

    def send(self, number: int, block: bytes) -> None:
        """One block through the mailbox."""
        self.master.write(self.unit, self.box.block_register + number * self.box.block_words, block)

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


def transfer(board: Updated, blocks: list[bytes], count: int) -> int:
    """Until it lacks none of these blocks, the first of `count`; how many were sent."""
    sent = 0
    for _turn in range(_TURNS):
        lacking = [number for number in board.missing(count) if number < len(blocks)]
        if not lacking:
            return sent
        for number in lacking:
            board.send(number, blocks[number])
        sent += len(lacking)
    raise GewuError(f"{len(lacking)} blocks did not arrive in {_TURNS} turns.")
