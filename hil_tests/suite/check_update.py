"""Update and rollback: a signed bundle is tried and kept; an older, an altered and a dying one change nothing.

The order matters: a board that keeps the first bundle refuses the older one because of it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.bus.command import Code
from gateway.errors import GewuError
from hil_tests.hil.bench import Bench
from hil_tests.hil.bench_file import Device
from hil_tests.hil.board import Board
from hil_tests.hil.updated import READY, Updated, transfer
from hil_tests.hil.verdict import Measures, expect
from provisioning.firmware_bundle import blocks, release

pytestmark = [
    pytest.mark.needs("key"),
    pytest.mark.permission("update"),
    pytest.mark.step(
        "copy the bundle over USB (docs/firmware.md, Update); if it is refused there too, the bundle is wrong",
        "经 USB 复制固件包重试；若仍被拒则固件包有误",
    ),
]
DAMAGED, FORGED, OLDER = 2, 3, 4
_TRIAL_S = 40.0

Take = Callable[[str], tuple[bytes, Updated]]


@pytest.fixture
def take(bench: Bench, device: Device, board: Board) -> Take:
    """take(file): the bundle in it, and the board ready to take it."""

    def taken(file: str) -> tuple[bytes, Updated]:
        data = Path(file).read_bytes()
        assert board.key is not None  # the test said that it needs one
        return data, Updated(board.master, board.unit, board.key, board.serial, board.profile, release(data))

    return taken


def sent(board: Updated, data: bytes) -> None:
    """Begun and transferred."""
    board.begin(data)
    pieces = list(blocks(data))
    transfer(board, pieces, len(pieces))


@pytest.mark.check("a signed update is taken, tried and kept", "签名升级被接受、试运行并保留")
@pytest.mark.needs("update.bundle")
def test_update(bench: Bench, device: Device, take: Take, measures: Measures) -> None:
    """the release of the bundle answers, and stays when its trial is over"""
    data, board = take(bench.file.update.bundle)
    returned = board.number("returned_updates")
    sent(board, data)
    board.install()
    board.start()
    board.until(lambda: board.number("uptime") > 12 and board.number("measure_age") < 2000, "ran its trial", _TRIAL_S)
    expect(board.release() == board.awaited, f"release {board.awaited}", board.release())
    expect(board.number("returned_updates") == returned, "no update returned", board.value("returned_updates"))
    measures.versions[device.id] = board.release()


@pytest.mark.check("an older update is refused", "较旧的升级被拒")
@pytest.mark.needs("update.bundle", "update.older")
def test_older(bench: Bench, take: Take) -> None:
    """trouble 4, and the release that runs stays"""
    refused(take, bench.file.update.older, (OLDER,))


@pytest.mark.check("an altered update is refused", "被篡改的升级被拒")
@pytest.mark.needs("update.bundle")
def test_altered(bench: Bench, take: Take, tmp_path: Path) -> None:
    """trouble 2 or 3 after one bit of its last file was changed, and the release that runs stays"""
    data = bytearray(Path(bench.file.update.bundle).read_bytes())
    data[-1] ^= 1
    altered = tmp_path / "altered.bundle"
    altered.write_bytes(data)
    refused(take, str(altered), (DAMAGED, FORGED))


def refused(take: Take, file: str, troubles: tuple[int, ...]) -> None:
    """Expect that it is refused, for one of these troubles."""
    data, board = take(file)
    runs = board.release()
    sent(board, data)
    try:
        board.install()
    except GewuError:
        expect(board.number("update_trouble") in troubles, f"trouble {troubles}", board.value("update_trouble"))
        expect(board.release() == runs, f"release {runs}", board.release())
        return
    expect(board.value("update_state") != READY, "a refusal", "it would start it")


@pytest.mark.check("an update that dies at its start is left again", "启动失败的升级自动回退")
@pytest.mark.needs("update.bundle", "update.dying")
def test_rollback(bench: Bench, take: Take) -> None:
    """the release of before answers again, with one more update returned"""
    data, board = take(bench.file.update.dying)
    runs, returned = board.release(), board.number("returned_updates")
    sent(board, data)
    board.install()
    board.ordered(Code.RESTART)
    board.until(lambda: board.number("returned_updates") == returned + 1, "went back", 180)
    expect(board.release() == runs, f"release {runs}", board.release())


@pytest.mark.check("a transfer goes on after a power cut", "断电后续传")
@pytest.mark.needs("update.bundle", "hands")
@pytest.mark.permission("power_cut")
def test_interrupted(bench: Bench, device: Device, take: Take) -> None:
    """the same bundle begun again lacks no block that was there before the cut"""
    data, board = take(bench.file.update.bundle)
    pieces = list(blocks(data))
    half = pieces[: max(1, len(pieces) // 2)]
    board.begin(data)
    transfer(board, half, len(pieces))
    boots = board.number("boot_count")
    bench.hands.cut_power(device.id)
    board.until(lambda: board.number("boot_count") == boots + 1, "came back", 60)
    board.begin(data)
    missing = set(board.missing(len(pieces)))
    # What was not yet on the flash may be gone: the queue of four.
    kept = len(half) - len(missing & set(range(len(half))))
    expect(kept >= len(half) - 4, f"{len(half)} blocks kept, but for the queue", kept)
    transfer(board, pieces, len(pieces))
