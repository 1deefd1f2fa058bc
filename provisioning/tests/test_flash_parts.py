"""What flashing stands on: pinned images, the journal, troubles with a code and a next step."""

import hashlib
import os
import re
import resource
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.errors import ConfigurationError
from provisioning.image import read_image
from provisioning.journal import Journal
from provisioning.trouble import NEXT_STEPS, Trouble, look_at_port

DOCS = Path(__file__).resolve().parents[2] / "docs" / "provisioning.md"


def image_bytes(chip: int = 0, megabytes: int = 4, size: int = 5000) -> bytes:
    """An image as its header tells: ESP image format, the chip's number in bytes 12 and 13."""
    flash = {1: 0, 2: 1, 4: 2, 8: 3, 16: 4}[megabytes]
    head = bytes((0xE9, 3, 2, flash << 4)) + bytes(8) + chip.to_bytes(2, "little") + bytes(10)
    return head + bytes(index % 251 for index in range(size))


def pinned(folder: Path, data: bytes, listed: bytes | None = None) -> Path:
    path = folder / "mp.bin"
    path.write_bytes(data)
    digest = hashlib.sha256(data if listed is None else listed).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  other.bin\n{digest} *./mp.bin\n", encoding="ascii")
    return path


def code_of(path: Path, hashes: Path | None = None) -> str:
    with pytest.raises(Trouble) as refused:
        read_image(path, hashes)
    return refused.value.code


def test_a_pinned_image_says_what_it_needs(tmp_path: Path) -> None:
    """Chip, place and flash come from its header."""
    image = read_image(pinned(tmp_path, image_bytes()))
    assert (image.chip, image.offset, image.flash_bytes) == ("ESP32", 0x1000, 4 << 20)
    other = read_image(pinned(tmp_path, image_bytes(chip=9, megabytes=8)))
    assert (other.chip, other.offset, other.flash_bytes) == ("ESP32-S3", 0, 8 << 20)


def test_a_list_of_the_installer_wins(tmp_path: Path) -> None:
    """It comes from elsewhere: whoever altered the image may have altered the list beside it."""
    path = pinned(tmp_path, image_bytes())
    mine = tmp_path / "mine.txt"
    mine.write_text(f"{'1' * 64}  mp.bin\n", encoding="ascii")
    assert code_of(path, mine) == "image-altered"
    mine.write_text(hashlib.sha256(path.read_bytes()).hexdigest(), encoding="ascii")
    assert read_image(path, mine).size == path.stat().st_size
    assert code_of(path, tmp_path / "none.txt") == "image-unpinned"


def test_images_that_are_not_used(tmp_path: Path) -> None:
    """Missing, unlisted, altered, or no image at all."""
    assert code_of(tmp_path / "none.bin") == "image-missing"
    assert code_of(pinned(tmp_path, image_bytes(), listed=b"another")) == "image-altered"
    assert code_of(pinned(tmp_path, b"PK" + bytes(100))) == "image-unfit"
    (tmp_path / "SHA256SUMS").unlink()
    assert code_of(tmp_path / "mp.bin") == "image-unpinned"
    (tmp_path / "mp.bin.sha256").write_text("0" * 64, encoding="ascii")
    assert code_of(tmp_path / "mp.bin") == "image-altered"


def test_a_journal_outlives_a_torn_line(tmp_path: Path) -> None:
    """What was cut is passed over, what was whole stays, what comes is whole."""
    path = tmp_path / "j"
    with Journal(path, SystemClock()) as journal:
        journal.note(do="flash", port="p", state="detected")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"at":"2026')
    with Journal(path, SystemClock()) as journal:
        assert [line["state"] for line in journal.lines] == ["detected"]
        journal.note(state="flashed")
        journal.note(state="verified")
    assert path.read_bytes().startswith(whole)
    with Journal(path, SystemClock()) as journal:
        assert [line["state"] for line in journal.lines] == ["detected", "flashed", "verified"]


def test_one_process_has_a_journal(tmp_path: Path) -> None:
    """The second is told, and so is who may not write there."""
    with (
        Journal(tmp_path / "j", SystemClock()),
        pytest.raises(ConfigurationError, match="let it finish"),
    ):
        Journal(tmp_path / "j", SystemClock())
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        Journal(tmp_path, SystemClock())


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """The kernel takes no more bytes: nothing goes on without its record, and the next line is whole again."""
    with Journal(tmp_path / "j", SystemClock()) as journal:
        journal.note(state="detected")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "j").stat().st_size + 10, hard))
        try:
            with pytest.raises(Trouble, match=r"^disk-full: "):
                journal.note(state="flashed")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        journal.note(state="verified")
    with Journal(tmp_path / "j", SystemClock()) as journal:
        assert [line["state"] for line in journal.lines] == ["detected", "verified"]


def test_ports_that_cannot_be_used(tmp_path: Path) -> None:
    """Said before any tool says it in other words; asked as somebody who is not root."""
    with pytest.raises(Trouble, match=r"^no-port: there is no "):
        look_at_port(str(tmp_path / "none"))
    port = tmp_path / "port"
    port.touch()
    port.chmod(0)
    root = os.getuid() == 0
    if root:
        os.setresuid(65534, 65534, 0)
    try:
        with pytest.raises(Trouble, match=r"^no-permission: you may not open "):
            look_at_port(str(port))
    finally:
        if root:
            os.setresuid(0, 0, 0)


def test_every_trouble_is_documented() -> None:
    """The table of docs/provisioning.md has each code once, and no other."""
    page = DOCS.read_text(encoding="utf-8").split("## Troubles")[1].split("\n## ")[0]
    codes = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    assert sorted(codes) == sorted(NEXT_STEPS)
