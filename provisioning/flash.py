"""`gewu provision flash`: one image onto several boards at once, each in a worker process of its own.

It starts the workers, hears them, and writes the journal: a board that fails or is pulled out costs its own row and
nothing else. What happens on the wire is `flash_worker`'s and esptool's.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
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
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        try:
            return list(pool.map(lambda port: _one(image, port, journal, said), ports))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # Ctrl-C: no further board is begun
            raise


def refused(ports: Sequence[str], trouble: Trouble) -> list[FlashRow]:
    """The rows of an image that goes onto no board."""
    return [FlashRow(port, trouble=str(trouble)) for port in ports]


def _one(image: Image, port: str, journal: Journal, said: Said) -> FlashRow:
    row = FlashRow(port)
    seen: dict[str, Any] = {"sha256": image.sha256}
    try:
        for line in _worker(image, port):
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


def _worker(image: Image, port: str) -> Iterator[dict[str, Any]]:
    """The lines of one worker. It is ended when nobody listens any more."""
    request = {
        "port": port,
        "image": str(image.path),
        "sha256": image.sha256,
        "chip": image.chip,
        "offset": image.offset,
        "flash_bytes": image.flash_bytes,
        "baud": BAUD,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "provisioning.flash_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.close()
        for text in process.stdout:
            try:
                line = json.loads(text)
            except ValueError:
                continue  # a library's own word
            if line.get("step") or line.get("trouble") in NEXT_STEPS:
                yield line
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
