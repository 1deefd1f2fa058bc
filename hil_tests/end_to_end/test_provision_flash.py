"""`gewu provision flash`: the real esptool against the ROM protocol of virtual boards."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration


class Rom:
    """A chip's bootloader on a port of its own. `chip`: which; `after`: it is pulled out after so many bytes."""

    def __init__(self, chip: str = "esp32", after: int | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._chip, self._after = chip, after
        self.flash: Any = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        from esp32_mock_bootloader.server import BootloaderConnection, FlashImage, handle_client

        self.flash = FlashImage()
        while True:
            try:
                caller = self._listener.accept()[0]
            except OSError:
                return
            if self._after is not None:
                caller = _Pulled(caller, self._after)
            connection = BootloaderConnection(sock=caller, track_disconnect=True)
            try:
                handle_client(connection, threading.Event(), self._chip, exit_on_disconnect=True, flash=self.flash)
            except OSError:
                pass  # pulled out
            caller.close()


class _Pulled(socket.socket):
    """A cable that is pulled out after so many bytes came."""

    def __init__(self, caller: socket.socket, after: int) -> None:
        super().__init__(fileno=caller.detach())
        self._left = after

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = super().recv(size, flags)
        self._left -= len(data)
        if self._left <= 0:
            self.shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError("pulled out")
        return data


@pytest.fixture
def rom() -> Iterator[Callable[..., Rom]]:
    made: list[Rom] = []

    def make(**what: Any) -> Rom:
        made.append(Rom(**what))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """One that is for an ESP32 with 4 MB, and pinned."""
    path = tmp_path / "mp.bin"
    path.write_bytes(bytes((0xE9, 3, 2, 0x20)) + bytes(20) + os.urandom(60_000))
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  mp.bin\n", encoding="ascii")
    return path


def provision(image: Path, *ports: str) -> tuple[int, list[dict[str, Any]], str]:
    """(exit status, rows, stderr) of `gewu provision flash --json`."""
    line = [sys.executable, "-m", "gateway", "provision", "flash", "--json", "--image", str(image)]
    # Two at a time: each worker process meets several boards, good and bad ones.
    line += ["--at-once", "2", "--journal", str(image.with_name("j")), "--port", *ports]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def test_several_at_once_and_each_failure_on_its_own(image: Path, rom: Callable[..., Rom]) -> None:
    """Wrong chip, nobody there, a cable pulled out in the middle: their rows say so; the others are verified."""
    good, other = rom(), rom()
    wrong, pulled = rom(chip="esp32c3"), rom(after=40_000)
    gone = rom()
    gone_port = gone.port.rsplit(":", 1)[0] + ":1"
    status, rows, said = provision(image, good.port, wrong.port, pulled.port, "/dev/gewu-none", gone_port, other.port)
    assert status == 1
    assert [row["state"] for row in rows] == ["verified", "absent", "detected", "absent", "absent", "verified"]
    assert [(row["trouble"] or "").split(":")[0] for row in rows] == [
        "", "wrong-chip", "unplugged", "no-port", "no-port", "",
    ]  # fmt: skip
    assert [row["chip"] for row in rows] == ["ESP32", "ESP32-C3", "ESP32", "", "", "ESP32"]
    assert "for ESP32" in rows[1]["trouble"]
    data = image.read_bytes()
    for one in (good, other):
        assert bytes(one.flash.data[0x1000 : 0x1000 + len(data)]) == data
    assert set(wrong.flash.data) == {0xFF}  # nothing was written to a chip that is not ours
    assert f"{good.port}: verified" in said
    lines = [json.loads(line) for line in image.with_name("j").read_text(encoding="utf-8").splitlines()]
    assert [line["state"] for line in lines if line["port"] == pulled.port] == ["detected", "detected"]
    assert [line["state"] for line in lines if line["port"] == good.port] == ["detected", "flashed", "verified"]
    before = image.with_name("j").read_bytes()
    # Safe to repeat: what is right is not written again.
    status, rows, _said = provision(image, good.port)
    assert (status, rows[0]["state"], rows[0]["trouble"]) == (0, "verified", None)
    after = image.with_name("j").read_bytes()
    assert after.startswith(before)
    assert b'"already":true' in after[len(before) :]


def test_too_small_a_flash(image: Path, rom: Callable[..., Rom]) -> None:
    """An image for 16 MB does not go onto a board with 4; nothing is written."""
    image.write_bytes(image.read_bytes()[:3] + b"\x40" + image.read_bytes()[4:])
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    image.with_name("SHA256SUMS").write_text(f"{digest}  mp.bin\n", encoding="ascii")
    board = rom()
    status, rows, _said = provision(image, board.port)
    assert status == 1
    assert rows[0]["trouble"].startswith(f"flash-too-small: the board at {board.port} has a flash of 4 MB")
    assert set(board.flash.data) == {0xFF}


def test_an_altered_image_touches_no_board(image: Path, rom: Callable[..., Rom]) -> None:
    """One bit is enough."""
    data = bytearray(image.read_bytes())
    data[1000] ^= 1
    image.write_bytes(data)
    board = rom()
    status, rows, _said = provision(image, board.port)
    assert status == 1
    assert rows[0].keys() == {"port", "chip", "state", "trouble"}
    assert rows[0]["trouble"].startswith("image-altered: ")
    assert board.flash is None or set(board.flash.data) == {0xFF}
