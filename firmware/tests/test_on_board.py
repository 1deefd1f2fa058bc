"""The scripts of on_board/ inside real MicroPython: each of their tests is a test here.

A script runs once (some 0.1 to 1 s); its tests look up their own line. They are unit tests of the firmware and
start no board: the interpreter is to them what CPython is to the others.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration  # MicroPython and its compiler are processes

ON_BOARD = Path(__file__).parent / "on_board"
SCRIPTS = sorted(ON_BOARD.glob("board_*.py"))
CASES = [
    pytest.param(script, name, id=f"{script.stem.removeprefix('board_')}-{name.removeprefix('test_')}")
    for script in SCRIPTS
    for name in re.findall(r"^def (test_\w+)", script.read_text(encoding="utf-8"), re.MULTILINE)
]
_outputs: dict[Path, str] = {}


@pytest.fixture
def output_of(run_on_board: Callable[[Path, Path], str], tmp_path: Path) -> Callable[[Path], str]:
    """What a script printed; it runs once a session."""

    def output(script: Path) -> str:
        if script not in _outputs:
            _outputs[script] = run_on_board(script, tmp_path)
        return _outputs[script]

    return output


@pytest.mark.parametrize(("script", "name"), CASES)
def test_on_board(script: Path, name: str, output_of: Callable[[Path], str]) -> None:
    """The line of this test says ok; else the lines from its FAIL on are shown."""
    output = output_of(script)
    failed = re.search(rf"^FAIL {name}\n(?:(?!ok |FAIL ).*\n)*", output, re.MULTILINE)
    assert failed is None, failed and failed.group()
    assert re.search(rf"^ok {name}$", output, re.MULTILINE), output
