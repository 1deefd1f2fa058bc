"""`gewu provision flash`: one image onto several boards at once, no two of them in one process.

It starts the workers, hears them, and writes the journal: a board that fails or is pulled out costs its own row and its
worker, and nothing else. What happens on the wire is `flash_worker`'s and esptool's.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

from provisioning.image import Image
from provisioning.journal import Journal
from provisioning.trouble import NEXT_STEPS, Trouble

ABSENT = "absent"
_STATES = ("detected", "flashed", "verified")
BAUD = 460_800  # what the common USB bridges keep up with


@dataclass(slots=True)
class FlashRow:
    """What became of one port: contract section 1. `chip` is empty and `state` absent where nothing answered."""

    port: str
    chip: str = ""
    state: str = ABSENT
    trouble: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The row of the contract."""
        return asdict(self)


Said = Callable[[str, str, int | None], None]
"""Called with port, step and percent while it goes on, from several threads."""


def flash(image: Image, ports: Sequence[str], journal: Journal, said: Said, at_once: int = 8) -> list[FlashRow]:
    """Flash and verify `image` at each of `ports`, `at_once` at a time; rows in the order of the ports."""
    with _Workers() as workers, ThreadPoolExecutor(max_workers=at_once) as pool:
        try:
            return list(pool.map(lambda port: _one(image, port, journal, said, workers), ports))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # Ctrl-C: no further board is begun
            raise


def refused(ports: Sequence[str], trouble: Trouble) -> list[FlashRow]:
    """The rows of an image that goes onto no board."""
    return [FlashRow(port, trouble=str(trouble)) for port in ports]


def _one(image: Image, port: str, journal: Journal, said: Said, workers: "_Workers") -> FlashRow:
    row = FlashRow(port)
    seen: dict[str, Any] = {"sha256": image.sha256}
    try:
        for line in workers.work(image, port):
            if "trouble" in line:
                raise Trouble(line["trouble"], line["cause"])
            step = line["step"]
            row.chip = line.get("chip", row.chip)
            seen |= {name: line[name] for name in ("mac", "chip", "already") if name in line}
            if step in _STATES:
                row.state = step
                journal.note(do="flash", port=port, state=step, **seen)
            said(port, step, line.get("percent"))
        if row.state != _STATES[-1]:
            raise Trouble("unplugged", f"the work at {port} ended early")
    except Trouble as trouble:
        row.trouble = str(trouble)
        said(port, trouble.code, None)
        if trouble.code != "disk-full":
            _note_trouble(journal, row, trouble)
    return row


def _note_trouble(journal: Journal, row: FlashRow, trouble: Trouble) -> None:
    try:
        journal.note(do="flash", port=row.port, state=row.state, trouble=trouble.code, cause=trouble.cause)
    except Trouble as full:
        row.trouble = f"{trouble} {full}"


class _Workers:
    """Processes of `flash_worker`, one for each board that is at work; one that did well is used for another board."""

    def __init__(self) -> None:
        self._idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while not self._idle.empty():
            _end(self._idle.get())

    def work(self, image: Image, port: str) -> Iterator[dict[str, Any]]:
        """The lines of one board. A worker is ended when its board failed, or nobody listens any more."""
        try:
            process = self._idle.get_nowait()
        except Empty:
            process = _start()
        well = False
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(_request(image, port)) + "\n")
            process.stdin.flush()
            well = yield from _lines(process)
        except BrokenPipeError:
            pass  # it ended; the row says so
        finally:
            if well:
                self._idle.put(process)
            else:
                _end(process)


def _lines(process: "subprocess.Popen[str]") -> Generator[dict[str, Any], None, bool]:
    """What it says of one board; True when it came to the end without a trouble."""
    assert process.stdout is not None
    well = True
    for text in process.stdout:
        try:
            line = json.loads(text)
        except ValueError:
            continue  # a library's own word
        if line.get("end"):
            return well
        if line.get("trouble") in NEXT_STEPS:
            well = False
        if line.get("step") or not well:
            yield line
    return False


def _start() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "provisioning.flash_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _end(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.kill()
    process.stdout.close()
    try:
        process.stdin.close()
    except BrokenPipeError:
        pass  # what it never read
    process.wait()


def _request(image: Image, port: str) -> dict[str, Any]:
    return {
        "port": port,
        "image": str(image.path),
        "sha256": image.sha256,
        "chip": image.chip,
        "offset": image.offset,
        "flash_bytes": image.flash_bytes,
        "baud": BAUD,
    }
