"""One port at a time in a process of its own: esptool as a library, its words turned into JSON lines for `flash`.

A process, for esptool keeps state for the whole program, and a board that is pulled out must not take the others along.
A request (one JSON line on stdin) names port, image and what it must be; the answer are lines on stdout: {"step": ...},
where it went wrong {"trouble": code, "cause": text}, and at the end {"end": true}. It writes no journal.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from esptool.cmds import attach_flash, detect_chip, detect_flash_size, run_stub, write_flash
from esptool.logger import TemplateLogger, log
from esptool.util import FatalError, flash_size_bytes

from provisioning.trouble import Trouble, look_at_port, of_port

_ATTEMPTS = 4


def tell(**line: Any) -> None:
    """One line for the parent; where it is gone, so are we."""
    print(json.dumps(line), flush=True)


class Quiet(TemplateLogger):  # type: ignore[misc]  # esptool has no types
    """esptool's log: its progress goes on, its prose does not."""

    _told = -1

    def begin(self) -> None:
        """Another board."""
        self._told = -1

    def progress_bar(
        self, cur_iter: int, total_iters: int, prefix: str = "", suffix: str = "", bar_length: int = 30
    ) -> None:
        percent = 100 * cur_iter // max(total_iters, 1)
        if percent > self._told:
            self._told = percent
            tell(step="writing", percent=percent)

    def print(self, *args: Any, **kwargs: Any) -> None: ...
    def note(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...
    def stage(self, finish: bool = False) -> None: ...
    def set_verbosity(self, verbosity: str) -> None: ...


def flash(request: dict[str, Any]) -> None:
    """The whole way of one board. Raises Trouble, FatalError, OSError."""
    port: str = request["port"]
    data = Path(request["image"]).read_bytes()
    if hashlib.sha256(data).hexdigest() != request["sha256"]:
        raise Trouble("image-altered", f"{request['image']} changed while it was in use")
    look_at_port(port)
    rom = _connect(port)
    try:
        _bring_up(rom, request, data)
    finally:
        rom._port.close()


def _bring_up(rom: Any, request: dict[str, Any], data: bytes) -> None:
    """Check, write where that is needed, verify."""
    port = request["port"]
    tell(step="seen", chip=rom.CHIP_NAME)
    if request["chip"] != rom.CHIP_NAME:
        raise Trouble("wrong-chip", f"the board at {port} is an {rom.CHIP_NAME}, the image is for {request['chip']}")
    chip = run_stub(rom)
    attach_flash(chip)
    size = flash_size_bytes(detect_flash_size(chip) or "0MB") or 0
    if size < request["flash_bytes"]:
        has, needs = _mb(size), _mb(request["flash_bytes"])
        raise Trouble("flash-too-small", f"the board at {port} has a flash of {has} MB, the image needs {needs} MB")
    tell(step="detected", chip=chip.CHIP_NAME, mac=bytes(chip.read_mac()).hex(), flash=size)
    wanted = hashlib.md5(data, usedforsecurity=False).hexdigest()
    offset = request["offset"]
    if chip.flash_md5sum(offset, len(data)) != wanted:
        if "://" not in port:
            chip.change_baud(request["baud"])
        write_flash(chip, [(offset, data)], flash_size="keep", compress=True)
        tell(step="flashed")
        if chip.flash_md5sum(offset, len(data)) != wanted:
            raise Trouble("not-verified", "what the flash holds is not the image")
    else:
        tell(step="flashed", already=True)
    tell(step="verified")
    if "://" not in port:
        chip.hard_reset()


def _connect(port: str) -> Any:
    mode = "no-reset" if "://" in port else "default-reset"
    try:
        chip = detect_chip(port, connect_mode=mode, connect_attempts=_ATTEMPTS)
    except FatalError as error:
        if isinstance(error.__cause__ or error.__context__, OSError) and "Could not open" in str(error):
            raise _not_opened(port, str(error)) from error
        raise Trouble("no-answer", f"the bootloader at {port} does not answer") from error
    return chip


def _not_opened(port: str, said: str) -> Trouble:
    if "refused" in said or "No such file" in said or "could not connect" in said.lower():
        return of_port(port, ConnectionRefusedError(111, ""))
    return of_port(port, PermissionError(13, "") if "Permission" in said else BlockingIOError(11, ""))


def _mb(count: int) -> int:
    return -(-count // (1024 * 1024))


def _answer(request: dict[str, Any]) -> None:
    try:
        flash(request)
    except Trouble as error:
        tell(trouble=error.code, cause=error.cause)
    except (FatalError, OSError) as error:
        tell(trouble="unplugged", cause=f"{request['port']} went silent ({str(error).splitlines()[0]})")
    tell(end=True)


def main() -> None:
    """One request after the other, until the parent has none."""
    quiet = Quiet()
    log.set_logger(quiet)
    for line in sys.stdin:
        quiet.begin()
        _answer(json.loads(line))


if __name__ == "__main__":
    main()
