"""One board updated over its bus: the signed bundle in blocks, checked and installed by the board, started and proven.

The board trusts the signature and nobody's word (docs/firmware.md, "Update"), goes on where a cut left it, and returns
by itself to what ran before when the new firmware does not prove itself. This drives it and measures how long it may
hold the bus; when, and which boards, is `site_update`'s.
"""

from collections.abc import Callable
from enum import IntEnum

from gateway.bus.command import Code, registers
from gateway.bus.mailbox import Mailbox
from gateway.bus.transport import Line
from gateway.clock import Clock
from gateway.errors import GewuError, TryAgain
from gateway.profile import Profile
from provisioning import firmware_bundle

_BITMAP_WORDS = 30  # for the 477 blocks that a board takes
_PATIENCE_S = 60.0
_PROVEN_S = 12  # of uptime: the board proves a start after 10 s with the bus heard and its meter alive
_RETURNED_S = 150.0  # a start that does not prove itself goes back after 120 s
_PAUSE_S = 0.05
_TURNS = 60


class State(IntEnum):
    """The register `update_state`."""

    NONE = 0
    OPENING = 1
    RECEIVING = 2
    CHECKING = 3
    READY = 4
    FAILED = 5


TROUBLES = {
    2: "the bundle came damaged",
    3: "the bundle is not signed by the key that this board trusts",
    4: "the bundle is older than what runs, or ran proven",
    5: "its flash or its memory did not suffice",
}
"""The register `update_trouble`."""


class BoardUpdate(Mailbox):
    """`way` is how blocks are written: 10h into the mailbox, which any master can, or 15h as file records."""

    def __init__(self, line: Line, unit: int, profile: Profile, key: bytes, clock: Clock, way: str = "10h") -> None:
        super().__init__(line, unit, profile, key, clock)
        self._way = way

    def until(self, reached: Callable[[], bool], what: str, seconds: float = _PATIENCE_S) -> None:
        """GewuError names what was not reached in time; a board that restarts may be silent meanwhile."""
        deadline, trouble = self._clock.monotonic() + seconds, ""
        while True:
            try:
                if reached():
                    return
                trouble = ""
            except TryAgain as error:
                trouble = f" ({error})"
            if self._clock.monotonic() > deadline:
                raise GewuError(f"The board at address {self.unit} never {what} within {seconds:g} s{trouble}.")
            self._clock.sleep(_PAUSE_S)

    def state(self) -> State:
        """How far its update is."""
        return State(self.values("update_state")["update_state"])

    def begin(self, bundle: bytes) -> None:
        """It takes blocks of this bundle now; those that it has from an earlier try it keeps."""
        self.command(Code.BEGIN, firmware_bundle.begin_argument(bundle))
        self.until(lambda: self.state() == State.RECEIVING, "began to receive")

    def missing(self, count: int) -> list[int]:
        """The numbers of the blocks, out of `count`, that it lacks."""
        at = self.places.block_register
        words = self.again(lambda: self._line.read(self.unit, "holding", at, _BITMAP_WORDS))
        return firmware_bundle.missing(b"".join(word.to_bytes(2, "big") for word in words), count)

    def send(self, number: int, block: bytes) -> None:
        """One block; done when the board has queued it."""
        words = registers(block)
        if self._way == "15h":
            self.again(lambda: self._line.write_file(self.unit, self.places.block_file + number, 0, words))
        else:
            at = self.places.block_register + number * self.places.block_words
            self.again(lambda: self._line.write_registers(self.unit, at, words))

    def transfer(
        self, bundle: bytes, share: float = 1.0, told: Callable[[int, int], None] = lambda _done, _all: None
    ) -> int:
        """All blocks that it lacks, holding the bus for at most `share` of the time; how many were sent.

        `told(done, count)` is called before each, and may raise to stop here: nothing is lost. Raises GewuError.
        """
        blocks = list(firmware_bundle.blocks(bundle))
        sent = 0
        for _turn in range(_TURNS):
            lacking = self.missing(len(blocks))
            if not lacking:
                return sent
            for place, number in enumerate(lacking):
                told(len(blocks) - len(lacking) + place, len(blocks))
                began = self._clock.monotonic()
                self.send(number, blocks[number])
                self._clock.sleep((self._clock.monotonic() - began) * (1 / share - 1))
                sent += 1
        raise GewuError(f"The board at address {self.unit} still lacks {len(lacking)} blocks after {_TURNS} rounds.")

    def install(self) -> None:
        """Signature, version and hashes checked by the board, files written beside those that run. Raises GewuError."""
        self.until(lambda: self.values("update_missing")["update_missing"] == 0, "had all blocks")
        self.command(Code.INSTALL)
        self.until(lambda: self.state() in (State.READY, State.FAILED), "came to a verdict")
        trouble = int(self.values("update_trouble")["update_trouble"])
        if trouble:
            raise GewuError(
                f"The board at address {self.unit} refused the update: {TROUBLES.get(trouble, f'trouble {trouble}')}."
            )

    def start(self, version: str) -> None:
        """Restarted, and the new firmware answers. Whether it stays it decides by itself: see `prove`."""
        try:
            self.command(Code.RESTART)
        except TryAgain:
            pass  # a busy bus asked too late: it restarts already, or the version will tell that it did not
        self.until(lambda: self.release() == version, f"started with {version}")

    def prove(self, version: str) -> None:
        """Return once the board has kept the firmware; GewuError where it went back to the one before."""

        def kept() -> bool:
            if self.release() != version:
                raise GewuError(
                    f"The board at address {self.unit} went back to {self.release()}: {version} did not prove itself."
                )
            return bool(self.values("uptime")["uptime"] >= _PROVEN_S)

        self.until(kept, f"kept {version}", _RETURNED_S)
