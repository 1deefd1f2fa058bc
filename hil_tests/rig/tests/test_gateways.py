"""A real gateway in the rig: its disk and its clock made sick by name, killed and there again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import control
from gateway.errors import ConfigurationError, GewuError
from hil_tests.end_to_end.scene import wait_for
from hil_tests.rig.site import parse_site, read_site
from hil_tests.rig.village import Village

BUS: dict[str, Any] = {"name": "n", "board": [{"id": "b1", "address": 1, "current": 6.0}]}
CONFIG = """
[gateway]
id = "gw"
site = "test"
data_dir = "data"
[[bus]]
name = "n"
port = "rig/bus/n"
[[bus.device]]
id = "b1"
profile = "gewu-breaker"
address = 1
[[uplink]]
name = "county"
url = "mqtt://127.0.0.1:9"
"""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Village, Path]]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "gewu.toml").write_text(CONFIG.replace("rig/", f"{folder}/rig/"), encoding="utf-8")
    site = parse_site({"bus": [BUS], "gateway": [{"name": "gw", "config": str(folder / "gewu.toml")}]}, "test")
    with Village(site, folder / "rig") as village:
        yield village, folder / "data"


def asked(data: Path, what: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] | None = control.ask(data, what)
    except GewuError:
        return {}
    return answer or {}


@pytest.mark.integration
@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", ["full", "broken", "readonly"])
def test_a_sick_disk_is_told_and_nothing_is_gone(rig: tuple[Village, Path], fault: str) -> None:
    """Its status names the trouble while it lasts; afterwards what was measured meanwhile is committed."""
    village, data = rig
    before = wait_for("readings", lambda: asked(data, "stats").get("accepted"), 60)
    village.inject("gw", {fault: "1"})
    wait_for("the trouble", lambda: asked(data, "status").get("outbox", {}).get("trouble"), 60)
    village.inject("gw", {fault: "0"})
    village.inject("b1", {"current": str(7 + before % 5)})  # a reading that is worth sending
    wait_for("the end of it", lambda: asked(data, "status").get("outbox", {"trouble": 1})["trouble"] is None, 60)
    wait_for("more readings", lambda: asked(data, "stats").get("accepted", 0) > before, 60)
    assert asked(data, "stats")["dropped"] == 0


@pytest.mark.integration
@pytest.mark.timeout(180)
def test_a_clock_that_is_off_and_not_believed(rig: tuple[Village, Path]) -> None:
    """The health message shows the machine's time as the rig moved it, and that nobody vouches for it."""
    village, data = rig
    wait_for("its health", lambda: asked(data, "health").get("clock"), 60)
    village.inject("gw", {"clock": "-1e8", "untrusted": "1"})
    wait_for("untrusted", lambda: asked(data, "health").get("clock", "trusted") != "trusted", 60)
    village.inject("gw", {"clock": "0", "untrusted": "0"})
    wait_for("trusted", lambda: asked(data, "health").get("clock") == "trusted", 60)


@pytest.mark.integration
@pytest.mark.timeout(180)
def test_a_killed_gateway_is_there_again(rig: tuple[Village, Path]) -> None:
    """As its supervisor would: another process, the same store; what is wrong with a request changes nothing."""
    village, data = rig
    wait_for("readings", lambda: asked(data, "stats").get("accepted"), 60)
    (first,) = village.state()["gateways"]
    for wrong in ({"full": "2"}, {"empty": "1"}, {}):
        with pytest.raises(ConfigurationError):
            village.inject("gw", wrong)
    accepted = asked(data, "stats")["accepted"]
    village.inject("gw", {"kill": "1"})
    (second,) = village.state()["gateways"]
    assert second["pid"] != first["pid"]
    wait_for("the next one", lambda: asked(data, "stats").get("accepted", 0) >= accepted, 60)
    assert (second["up"], second["data_dir"]) == (True, str(data))


def test_its_configuration_lies_beside_the_site_file(tmp_path: Path) -> None:
    """As all paths in the project's files."""
    (tmp_path / "site.toml").write_text(
        '[[bus]]\nname = "n"\n[[gateway]]\nname = "gw"\nconfig = "a/gewu.toml"\n', encoding="utf-8"
    )
    (one,) = read_site(tmp_path / "site.toml").gateway
    assert one.config == tmp_path / "a/gewu.toml"
