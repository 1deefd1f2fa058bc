"""The firmware type-checks against the ESP32's own stubs: nothing is called that the board refuses.

Whatever the stand-in of `machine` offers, the real one must have it too, with these parameters. Two things are not
followed: None, which stands for "not there yet" in many attributes; and the stubs' own types for ticks, which keep
milliseconds from microseconds but leave no way to hand a clock in (on every port they are integers).
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import shipped

pytestmark = pytest.mark.integration
_OPTIONS = ("--config-file", os.devnull, "--no-incremental", "--check-untyped-defs", "--no-strict-optional")

_OF_NONE = re.compile(r'"None" has no attribute|variable has type "None"')


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The modules of the ESP32's MicroPython, and its standard library, apart from CPython's packages."""
    folder = tmp_path_factory.mktemp("stubs")
    for name in ("micropython-esp32-stubs", "micropython-stdlib-stubs"):
        for file in importlib.metadata.files(name) or []:
            if file.suffix in (".pyi", "") and ".dist-info" not in str(file):
                target = folder / str(file)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), target)
    clock = folder / "time.pyi"
    ticks = ("_Ticks", "_TicksCPU", "_TicksMs", "_TicksUs")
    theirs = f"from _mpy_shed.time_mp import {', '.join(ticks)}"
    text = clock.read_text(encoding="utf-8")
    assert theirs in text, "the stubs of `time` name their ticks differently now"
    text = text.replace(theirs, "\n".join(f"{name} = int" for name in ticks))
    clock.write_text(text, encoding="utf-8")
    return folder


def check(stubs: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    sources = sorted(str(path) for path in folder.glob("*.py"))
    return subprocess.run(
        [sys.executable, "-m", "mypy", *_OPTIONS, "--custom-typeshed-dir", str(stubs), *sources],
        env={**os.environ, "MYPYPATH": f"{folder}{os.pathsep}{stubs}"},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def test_the_firmware_uses_the_esp32_as_its_stubs_have_it(stubs: Path) -> None:
    """Every module, bodies too."""
    done = check(stubs, shipped.firmware())
    lines = [line for line in done.stdout.splitlines() if ": error: " in line and str(stubs) not in line]
    errors = [line for line in lines if not _OF_NONE.search(line)]
    assert not errors, "\n".join(errors)
    assert "checked" in done.stdout + done.stderr


def test_the_check_would_notice(stubs: Path, tmp_path: Path) -> None:
    """A parameter that the ESP32 has not, a method that it has not, a module that it has not."""
    (tmp_path / "wrong.py").write_text(
        '"""Wrong."""\nimport machine\nimport threading\n\n'
        "machine.UART(1, baudrate=9600, speed=3)\nmachine.Pin(1).blink()\n",
        encoding="ascii",
    )
    said = check(stubs, tmp_path).stdout
    assert '"threading"' in said
    assert "UART" in said
    assert '"blink"' in said
