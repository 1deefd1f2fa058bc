"""From `[[uplink]]` to the outbox's routes."""

from pathlib import Path

import pytest

from gateway.config import load
from gateway.config.routes import routes
from gateway.errors import ConfigurationError

_TOML = """
[gateway]
id = "g"
site = "s"
[[bus]]
port = "/dev/a"
device = [
  {id = "b1", profile = "gewu-breaker", address = 1, place = "street/north/1"},
  {id = "b2", profile = "gewu-breaker", address = 2, place = "street/north/2"},
  {id = "b3", profile = "gewu-breaker", address = 3, place = "street/northern/3"},
]
[[uplink]]
url = "mqtt://x"
max_delay = 5.0
"""


def _filter(folder: Path, table: str) -> tuple[str, ...] | None:
    file = folder / "gewu.toml"
    file.write_text(_TOML + table, encoding="utf-8")
    (route,) = routes(load(file))
    assert (route.name, route.acks, route.max_delay) == ("uplink1", False, 5.0)
    return route.filter.devices if route.filter else None


@pytest.mark.parametrize(
    ("table", "devices"),
    [
        ("", None),
        ("[uplink.filter]\n", ()),
        ('[uplink.filter]\ndevices = ["b3"]', ("b3",)),
        ('[uplink.filter]\nplaces = ["street/north"]', ("b1", "b2")),
        ('[uplink.filter]\nplaces = ["street/north"]\ndevices = ["b2", "b3"]', ("b2",)),
        ('[uplink.filter]\nplaces = ["street/south"]', ("",)),
    ],
)
def test_places_become_devices(tmp_path: Path, table: str, devices: tuple[str, ...] | None) -> None:
    """A reading carries no place: those of the devices that stand there pass; nobody there is no reading."""
    assert _filter(tmp_path, table) == devices


def test_an_unknown_device_names_the_nearest(tmp_path: Path) -> None:
    """A mistyped id would silently let nothing through."""
    with pytest.raises(ConfigurationError, match=r'filter\.devices\[0\] is "b33".*the nearest is "b3"'):
        _filter(tmp_path, '[uplink.filter]\ndevices = ["b33"]')
