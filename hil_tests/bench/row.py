"""What a measurement prints: rows in the shape of contract section 1, and the machine they are from."""

import os
import platform
from pathlib import Path

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. `limit` is what was promised and `peer` what the plain way reached; None where there is none."""

    case: str
    metric: str
    value: float
    unit: str
    limit: float | None = None
    peer: float | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of one measurement."""

    name: str
    rows: list[Row]
    machine: str


def machine() -> str:
    """The processor, its cores, the system and Python, such as "Xeon, 2 cores, Linux 6.1 x86_64, Python 3.11.2"."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("model name", "Model")):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass  # no Linux: the platform's own word stands
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{model}, {os.cpu_count()} cores, {system}, Python {platform.python_version()}"
