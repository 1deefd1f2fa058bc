"""Runs scripts in the real MicroPython, with the built firmware on its path and an empty folder as its flash."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hil_tests.rig.interpreter import micropython
from provisioning import firmware_build

ON_BOARD = Path(__file__).parent / "on_board"


@pytest.fixture(scope="session")
def run_on_board(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, Path], str]:
    """run(script, flash): what the script prints; a script that dies fails the test with its traceback.

    The heap has room for sources and tests; what a board's heap must hold is measured in test_in_village.py.
    """

    built = tmp_path_factory.mktemp("firmware")
    firmware_build.build(built)

    def run(script: Path, flash: Path) -> str:
        done = subprocess.run(
            [micropython(), "-X", "heapsize=400k", str(script)],
            cwd=flash,
            env={"PATH": os.defpath, "MICROPYPATH": f"{built}:{ON_BOARD}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
