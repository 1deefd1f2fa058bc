"""The state of the machine under the gateway: disk, memory, temperature, supply, clock. It only reads."""

import resource
import shutil
from pathlib import Path
from typing import Any

from gateway.clock import Clock

_PROC = Path("/proc")
_SYS = Path("/sys")
_UNDER_VOLTAGE = 1 << 0 | 1 << 16


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None


def _field(text: str | None, name: str) -> int | None:
    for line in (text or "").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    return None


def rss_mb() -> float:
    """Resident memory of this process now, in MB (its peak where /proc is not there)."""
    kib = _field(_read(_PROC / "self/status"), "VmRSS")
    if kib is None:
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kib * 1024 / 1e6, 1)


def _temperature() -> float | None:
    """Degrees Celsius of the hottest sensor of the processor, None where the machine has none."""
    found = [_read(zone) for zone in sorted(_SYS.glob("class/thermal/thermal_zone*/temp"))]
    degrees = [int(text) / 1000 for text in found if text and text.lstrip("-").isdigit()]
    return round(max(degrees), 1) if degrees else None


def _under_voltage() -> bool | None:
    """Whether a Raspberry Pi's supply sagged since it started; None on other machines."""
    # Bits of the firmware's get_throttled (Raspberry Pi documentation, vcgencmd): now, and since the start.
    throttled = _read(_SYS / "devices/platform/soc/soc:firmware/get_throttled")
    try:
        sagged = None if throttled is None else bool(int(throttled, 16) & _UNDER_VOLTAGE)
    except ValueError:
        sagged = None
    for sensor in sorted(_SYS.glob("class/hwmon/hwmon*")):
        alarm = _read(sensor / "in0_lcrit_alarm")
        if _read(sensor / "name") == "rpi_volt" and alarm is not None:
            sagged = sagged or alarm != "0"
    return sagged


def measure(data_dir: Path, clock: Clock) -> dict[str, Any]:
    """The machine's part of the health message: bytes, MB and degrees Celsius; None is "no such sensor here"."""
    disk = shutil.disk_usage(data_dir)
    memory = _read(_PROC / "meminfo")
    available = _field(memory, "MemAvailable")
    return {
        "disk": {"free": disk.free, "total": disk.total},
        "flash_written": _field(_read(_PROC / "self/io"), "write_bytes"),
        "temperature": _temperature(),
        "under_voltage": _under_voltage(),
        "clock": clock.state(),
        "memory": {
            "rss_mb": rss_mb(),
            "available_mb": round(available / 1000, 1) if available is not None else None,
        },
    }
