"""What an end-to-end test stands on: a virtual village of two boards, mosquitto, a gateway's world."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_tests.brokers import Mosquitto
from hil_tests.end_to_end.scene import SITE, Site
from hil_tests.faults.disk import memory_folder
from hil_tests.rig.site import read_site
from hil_tests.rig.village import Village


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.fixture
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """A breaker and a sensor, real firmware, on one bus; new for each test, for a breaker remembers its heat."""
    folder = tmp_path_factory.mktemp("village")
    plan = folder / "site.toml"
    plan.write_text(SITE, encoding="utf-8")
    with Village(read_site(plan), folder) as village:
        yield village


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a simulated disk need not wait for a real one's syncs."""
    with tempfile.TemporaryDirectory(prefix="gewu-", dir=memory_folder() or tmp_path) as folder:
        yield Path(folder)


@pytest.fixture
def mosquitto() -> Iterator[Mosquitto]:
    broker = Mosquitto()
    try:
        broker.start()
        yield broker
    finally:
        broker.close()
