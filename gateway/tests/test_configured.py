"""From `[[uplink]]` to the settings of its adapters."""

from pathlib import Path

from gateway.config import load
from gateway.uplink.configured import settings_of
from gateway.uplink.settings import UplinkSettings, Waits, Way

_TOML = """
[gateway]
id = "g"
site = "s"
[[uplink]]
name = "plain"
url = "mqtt://a"
[[uplink]]
name = "rich"
url = "mqtts://a"
encoding = "compact"
acks = true
keepalive = "1min"
window = 30
mqtt = "3.1.1"
source = "eth0"
max_bytes_per_second = "2kB"
max_bytes_per_month = "500MB"
[uplink.fallback]
source = "wwan0"
[uplink.backoff]
first = "500ms"
late = "90s"
"""


def test_every_key_arrives(tmp_path: Path) -> None:
    """Defaults are those of the settings themselves; a second way without a url is the same broker."""
    file = tmp_path / "gewu.toml"
    file.write_text(_TOML, encoding="utf-8")
    config = load(file)
    plain, rich = (settings_of(uplink, config.gateway) for uplink in config.uplink)
    assert plain == UplinkSettings(name="plain", site="s", gateway="g", url="mqtt://a")
    assert rich == UplinkSettings(
        name="rich", site="s", gateway="g", url="mqtts://a", encoding="compact", acks=True, keepalive=60, window=30,
        mqtt="3.1.1", source="eth0", max_bytes_per_second=2000, max_bytes_per_month=500_000_000,
        fallback=Way("mqtts://a", "wwan0"), waits=Waits(0.5, 15.0, 90.0),
    )  # fmt: skip
    assert rich.session > 0


def test_sparkplug_asks_for_a_clean_session() -> None:
    """What its specification wants; it has no inbox that could wait."""
    assert UplinkSettings(name="u", site="s", gateway="g", url="mqtt://a", format="sparkplug").session == 0
