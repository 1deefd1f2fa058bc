"""The mailbox of one Gewu board on an open line: its values by name, and commands that only its key can make.

A board judges a frame once, by nonce and counter; what was asked is called done only when the board says so. It keeps
no key beyond its own life, decides nothing about who may, and never asks a person.
"""

import struct
from collections.abc import Callable
from typing import Any, TypeVar

from gateway.bus.command import Code, explain, frame, registers
from gateway.bus.contact import read_values
from gateway.bus.transport import Line
from gateway.bus.trouble import BusTrouble
from gateway.clock import Clock
from gateway.errors import ConfigurationError, DeviceRefused, GewuError, TryAgain
from gateway.profile import Profile

T = TypeVar("T")
JUDGED_S = 5.0
"""How long a board may take to judge a frame: it does so in its next turn, and a busy bus asks late."""
_PAUSE_S = 0.05
_TRIES = 3
_BUSY = 6
_NOTHING, _DONE = 0, 1  # results; nothing since the start
_RELEASE = 2  # object of the device identification


class Mailbox:
    """The board at `unit`. `key` 32 bytes, empty for one that is only read."""

    def __init__(self, line: Line, unit: int, profile: Profile, key: bytes, clock: Clock) -> None:
        """ConfigurationError where the profile has no mailbox."""
        if profile.mailbox is None:
            raise ConfigurationError(f'A "{profile.name}" takes no commands of this project: its profile says nowhere.')
        self.unit, self.places = unit, profile.mailbox
        self._line, self._profile, self._key, self._clock = line, profile, key, clock

    def values(self, *names: str) -> dict[str, Any]:
        """Registers by their names, read now. Raises BusTrouble, PortTrouble, DeviceRefused."""
        return self.again(lambda: read_values(self._line, self.unit, self._profile, names))

    def release(self) -> str:
        """The version of the firmware that answers."""
        return self.again(lambda: self._line.identity(self.unit)).get(_RELEASE, "")

    def again(self, work: Callable[[], T]) -> T:
        """`work` until it is answered, three times at most; a board that is busy is asked again for 5 s."""
        deadline, left = self._clock.monotonic() + JUDGED_S, _TRIES
        while True:
            try:
                return work()
            except BusTrouble:
                left -= 1
                if not left:
                    raise
            except DeviceRefused as refused:
                if refused.code != _BUSY or self._clock.monotonic() > deadline:
                    raise
                self._clock.sleep(_PAUSE_S)

    def command(self, code: Code, argument: bytes = b"") -> None:
        """Carried out, by the board's own word. GewuError with its reason; TryAgain where nothing is known of it."""
        before = self.values("nonce_high", "nonce_low", "commands_judged", "command_counter", "serial")
        nonce = struct.pack(">II", before["nonce_high"], before["nonce_low"])
        counter = int(before["command_counter"]) + 1
        made = registers(frame(self._key, str(before["serial"]), code, counter, nonce, argument))
        for _ in range(_TRIES):
            self._put(made)
            after = self._judged(before["commands_judged"])
            if after["commands_judged"] != before["commands_judged"]:
                if after["command_result"] == _NOTHING:
                    raise TryAgain(f"The board at address {self.unit} restarted before it could be asked what it did.")
                if after["command_result"] != _DONE:
                    raise GewuError(f"The board at address {self.unit}: {explain(int(after['command_result']))}.")
                return
        raise TryAgain(f"The board at address {self.unit} took none of {_TRIES} frames; nothing was done.")

    def _put(self, words: list[int]) -> None:
        def write() -> None:
            try:
                self._line.write_registers(self.unit, self.places.command_register, words)
            except BusTrouble:
                pass  # the answer may be what was lost: the board is asked whether it has judged one

        self.again(write)

    def _judged(self, before: int) -> dict[str, Any]:
        deadline = self._clock.monotonic() + JUDGED_S
        while True:
            found = self.values("commands_judged", "command_result")
            if found["commands_judged"] != before or self._clock.monotonic() >= deadline:
                return found
            self._clock.sleep(_PAUSE_S)
