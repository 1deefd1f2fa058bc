"""One operation of one device over its bus: asked, read back, and only then called done.

The board itself lets no frame work twice, by its nonce and its counter; here the reply that was lost is met by
reading what came of it before anything is sent again. It decides nothing about who may: that is `checks`.
"""

import logging
import struct
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from gateway import points
from gateway.bus.command import NONCE_LIFE_S, Code, explain, frame, registers
from gateway.bus.contact import read_values
from gateway.bus.transport import Line
from gateway.bus.writing import now_there, words, write
from gateway.clock import Clock
from gateway.commands import interlocks
from gateway.config.model import Device
from gateway.errors import DeviceRefused, GewuError, StoreError, TryAgain
from gateway.profile import Profile
from gateway.records import Value

_log = logging.getLogger(__name__)
T = TypeVar("T")

READ_BACK_S = 3.0
"""security.md of the references: read back within 3 s."""
_PAUSE_S = 0.05
_ANSWER_S = 30.0
_TRIES = 3
# A nonce lives for 30 s; what is asked in its last seconds may come too late.
_NONCE_FRESH_S = NONCE_LIFE_S - 8.0
_DONE, _BUSY = 1, 6
_MAILBOX = ("nonce_high", "nonce_low", "nonce_age", "commands_judged", "command_result", "command_counter")
_STATE = ("closed", "tripped", "breaker_failure", "cause", "acknowledge_needed", "locked_out", "withheld", "contact")
_OPERATED = ("open", "close", "set")


class Asks(Protocol):
    """A bus as the gateway runs it."""

    name: str

    def ask(self, work: Callable[[Line], T]) -> Future[T]: ...


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `readback` are the device's values afterwards; `mismatch`: they are not what was ordered."""

    result: Literal["done", "refused", "failed", "unknown"]
    why: str = ""
    readback: dict[str, Value] = {}
    mismatch: bool = False


def can(profile: Profile, key: bytes | None) -> frozenset[str]:
    """The actions that a device with this profile can be asked for; those with authority need its key."""
    actions = {"identify"} if "identify_seconds" in profile.by_value else set()
    if "silence" in profile.by_value:
        actions.add("acknowledge")
    if key is not None and profile.mailbox is not None and {*_MAILBOX, "serial"} <= profile.by_value.keys():
        actions.add("set")
        if "closed" in profile.by_value:
            actions |= {"open", "close"}
    return frozenset(actions)


class Operation:
    """`stored(counter)` is called with the board's counter of a frame before it is written, and must not lose it."""

    def __init__(
        self, bus: Asks, device: Device, key: bytes | None, clock: Clock, stored: Callable[[int], None]
    ) -> None:
        self._bus = bus
        self._device = device
        self._profile = device.definition
        self._key = key or b""
        self._clock = clock
        self._stored = stored

    def carry_out(self, action: str, params: dict[str, Any], expires: int, open_kinds: Collection[str]) -> Outcome:
        """Do it now, never after `expires` (Unix ms). Nothing of a bus or a board is raised: it is in the outcome."""
        try:
            if action == "identify":
                return self._plain("identify_seconds", str(params.get("seconds", 30)))
            if action == "acknowledge":
                return self._plain("silence", "on")
            if action == "set":
                return self._post(Code.SETTINGS, msgspec.json.encode(params), expires)
            return self._move(action, expires, open_kinds)
        except DeviceRefused as refused:
            return Outcome(result="failed", why=str(refused))
        except StoreError as error:
            return Outcome(result="failed", why=f"nothing was done, for it could not be written down: {error}")
        except (GewuError, TimeoutError) as error:
            return Outcome(result="unknown", why=f"nothing is known of it: {error}")

    def look_back(self, action: str, counter: int | None) -> Outcome:
        """What became of an operation that a power cut interrupted: read, and never done again. Raises TryAgain."""
        if action not in _OPERATED:
            return Outcome(result="unknown", why="the gateway stopped meanwhile; send it again if it is still needed")
        mailbox, state = self._read(_MAILBOX), self._read(_STATE)
        carried_out = counter is not None and mailbox["command_counter"] >= counter
        there = action == "set" or state.get("closed") is (action == "close")
        if carried_out and there:
            return Outcome(result="done", why="found so after a restart of the gateway", readback=state)
        if carried_out:
            why = "the board carried it out, but this is not its state after a restart of the gateway"
            return Outcome(result="failed", why=why, readback=state, mismatch=True)
        return Outcome(result="failed", why="the gateway stopped before it was carried out", readback=state)

    # --- moving --------------------------------------------------------------------------------------

    def _move(self, action: str, expires: int, open_kinds: Collection[str]) -> Outcome:
        wanted = action == "close"
        before = self._read(_STATE)
        against = interlocks.standing(self._profile, before, open_kinds) if wanted else ()
        if against:
            return Outcome(result="refused", why=against[0], readback=before)
        if before.get("closed") is wanted:
            return Outcome(result="done", why=f"it was {'closed' if wanted else 'open'} already", readback=before)
        posted = self._post(Code.CLOSE if wanted else Code.OPEN, b"", expires)
        if posted.result in ("refused", "failed"):
            return msgspec.structs.replace(posted, readback=self._read(_STATE))
        return self._read_back(wanted, posted)

    def _read_back(self, wanted: bool, posted: Outcome) -> Outcome:
        deadline = self._clock.monotonic() + READ_BACK_S
        while True:
            state, trouble = self._state()
            if state.get("closed") is wanted:
                return Outcome(result="done", readback=state)
            if self._clock.monotonic() >= deadline:
                break
            self._clock.sleep(_PAUSE_S)
        if trouble:
            return Outcome(result="unknown", why=f"it cannot be read back: {trouble}")
        if posted.result == "done":
            why = f"the board took it, but is not {'closed' if wanted else 'open'} after {READ_BACK_S:g} s"
            return Outcome(result="failed", why=why, readback=state, mismatch=True)
        return msgspec.structs.replace(posted, readback=state)

    def _state(self) -> tuple[dict[str, Any], str]:
        try:
            return self._read(_STATE), ""
        except TryAgain as error:
            return {}, str(error)

    # --- a frame into the mailbox ---------------------------------------------------------------------

    def _post(self, code: Code, argument: bytes, expires: int) -> Outcome:
        """Write one frame; again only when the board says that it has judged none, and then the very same one."""
        before = self._read(_MAILBOX)
        serial = str(self._read(("serial",))["serial"])
        counter = int(before["command_counter"]) + 1
        nonce = struct.pack(">II", before["nonce_high"], before["nonce_low"])
        made = frame(self._key, serial, code, counter, nonce, argument)
        until = self._clock.monotonic() + _NONCE_FRESH_S - float(before["nonce_age"])
        self._stored(counter)
        points.reach("command.stored")
        for _ in range(_TRIES):
            if self._clock.wall_ms() >= expires or self._clock.monotonic() >= until:
                return Outcome(result="failed", why="the board did not take it in time; nothing was done")
            self._write(registers(made))
            points.reach("command.written")
            after = self._judged(before["commands_judged"])
            if after is None:
                return Outcome(result="unknown", why="the device does not answer")
            if after["commands_judged"] != before["commands_judged"] and not _anothers(after, counter):
                return _outcome(int(after["command_result"]))
        return Outcome(result="failed", why="the board took none of the frames; nothing was done")

    def _write(self, frame_words: Sequence[int]) -> None:
        mailbox = self._profile.mailbox
        assert mailbox is not None  # `can` asks for one
        try:
            self._ask(lambda line: line.write_registers(self._device.address, mailbox.command_register, frame_words))
        except DeviceRefused as refused:
            if refused.code != _BUSY:
                raise
        except TryAgain as error:
            _log.warning("a command to %s: %s It is read back.", self._device.id, error)

    def _judged(self, before: Value) -> dict[str, Any] | None:
        """The mailbox once it has judged a frame, or after 3 s without; None when it cannot be read at all."""
        deadline = self._clock.monotonic() + READ_BACK_S
        found: dict[str, Any] | None = None
        while True:
            try:
                found = self._read(_MAILBOX)
            except TryAgain:
                pass  # asked again until the deadline
            if (found is not None and found["commands_judged"] != before) or self._clock.monotonic() >= deadline:
                return found
            self._clock.sleep(_PAUSE_S)

    # --- plain registers ------------------------------------------------------------------------------

    def _plain(self, name: str, typed: str) -> Outcome:
        register = self._profile.by_value[name]
        _, raw = words(register, typed)
        self._ask(lambda line: write(line, self._device.address, register, raw))
        there = self._ask(lambda line: now_there(line, self._device.address, register))
        return Outcome(result="done", readback={} if there is None else {name: there})

    def _read(self, names: Sequence[str]) -> dict[str, Any]:
        """Those of `names` that the device has, read now. Raises TryAgain, DeviceRefused."""
        return self._ask(lambda line: read_values(line, self._device.address, self._profile, names))

    def _ask(self, work: Callable[[Line], T]) -> T:
        return self._bus.ask(work).result(_ANSWER_S)


def _anothers(after: dict[str, Any], counter: int) -> bool:
    """Whether what was judged last and done was a frame with a lower counter: somebody else's."""
    return bool(after["command_result"] == _DONE and after["command_counter"] < counter)


def _outcome(result: int) -> Outcome:
    if result == _DONE:
        return Outcome(result="done")
    why = explain(result)
    return Outcome(result="refused" if why.startswith("refused") else "failed", why=why)
