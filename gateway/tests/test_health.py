"""The machine's state as Linux and a Raspberry Pi tell it; what is not there is None, never a made-up number."""

from pathlib import Path

import pytest

from gateway import health
from gateway.tests.fake_clock import FakeClock

FIRMWARE = "devices/platform/soc/soc:firmware/get_throttled"


@pytest.fixture
def sys_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty /sys."""
    monkeypatch.setattr(health, "_SYS", tmp_path)
    return tmp_path


def put(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text + "\n")


def test_a_machine_without_sensors_says_nothing(sys_folder: Path) -> None:
    """No thermal zone, no Raspberry Pi: null; disk, memory and what was written are there on any Linux."""
    found = health.measure(sys_folder, FakeClock())
    assert (found["temperature"], found["under_voltage"], found["clock"]) == (None, None, "trusted")
    assert 0 < found["disk"]["free"] <= found["disk"]["total"]
    assert found["memory"]["rss_mb"] > 1
    assert found["memory"]["available_mb"] > 1
    assert found["flash_written"] >= 0


def test_the_hottest_zone_counts(sys_folder: Path) -> None:
    """Millidegrees, one decimal; a sensor that does not answer is passed over."""
    for zone, text in enumerate(("41000", "63250", "", "-100")):
        put(sys_folder / f"class/thermal/thermal_zone{zone}", temp=text)
    assert health.measure(sys_folder, FakeClock())["temperature"] == 63.2


@pytest.mark.parametrize(
    ("throttled", "sagged"),
    [("0", False), ("0x0", False), ("50005", True), ("0x10000", True), ("20002", False), ("?", None)],
)
def test_the_supply_of_a_raspberry_pi(sys_folder: Path, throttled: str, sagged: bool | None) -> None:
    """Bit 0 is now, bit 16 since it started; other bits are heat and frequency."""
    put((sys_folder / FIRMWARE).parent, get_throttled=throttled)
    assert health.measure(sys_folder, FakeClock())["under_voltage"] is sagged


def test_the_supply_by_the_kernels_sensor(sys_folder: Path) -> None:
    """Only the sensor of that name: another chip's first voltage is something else."""
    put(sys_folder / "class/hwmon/hwmon0", name="nct6775", in0_lcrit_alarm="1")
    assert health.measure(sys_folder, FakeClock())["under_voltage"] is None
    put(sys_folder / "class/hwmon/hwmon1", name="rpi_volt", in0_lcrit_alarm="0")
    assert health.measure(sys_folder, FakeClock())["under_voltage"] is False
    put(sys_folder / "class/hwmon/hwmon1", name="rpi_volt", in0_lcrit_alarm="1")
    assert health.measure(sys_folder, FakeClock())["under_voltage"] is True
