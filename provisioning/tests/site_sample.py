"""A site of two gateways with a broker of its own, as files in a folder."""

from pathlib import Path

from gateway.tests.fake_clock import FakeClock

__all__ = ["CANARY", "FakeClock", "chance", "write_site"]
CANARY = "c0ffee" * 10 + "c0ff"
SITE = """
site = "qingxi"

[broker]
on = "qingxi-01"
hosts = ["gewu.local", "192.168.1.20"]

[[broker.client]]
name = "county"
may = ["read", "acknowledge"]

[[broker.client]]
name = "duty"
may = ["command"]

[[gateway]]
id = "qingxi-01"
timezone = "Asia/Shanghai"
time_servers = ["192.168.1.1"]

[[gateway.bus]]
name = "north"
plan = "north.csv"
adapter = "A50285BI"

[gateway.config.commands]
keys = "issuers.toml"
device_keys = "device-keys.toml"

[[gateway]]
id = "qingxi-02"
"""
PLAN = """id,place,circuit,profile,rating,curve,address,critical
b0101,street/北街,kitchen,gewu-breaker,16,C,1,
b0102,street/北街,lift,gewu-breaker,32,C,2,yes
"""


def write_site(folder: Path) -> Path:
    """The site file, with its plan and the files that it names beside it."""
    (folder / "north.csv").write_text(PLAN, encoding="utf-8")
    (folder / "issuers.toml").write_text("", encoding="utf-8")
    keys = folder / "device-keys.toml"
    keys.touch(mode=0o600)
    keys.write_text(f'[keys]\nb0101 = "{CANARY}"\n', encoding="utf-8")
    site = folder / "qingxi.toml"
    site.write_text(SITE, encoding="utf-8")
    return site


def chance(count: int) -> bytes:
    """The same bytes each time."""
    return bytes(range(7, 7 + count))
