"""Two environments under cuts of power: processes killed at every named point, and a gateway that always starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from provisioning import slots
from provisioning.tests.small_wheels import sicken, wheels

pytestmark = pytest.mark.integration
SCRIPT = str(Path(slots.__file__))
CONFIG = Path("/nowhere/gewu.toml")
# One update as the stage does it, which dies at a point: `os._exit` is SIGKILL's own way to end, and flushes nothing.
DRIVER = """
import os, sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[1]).parent))
import slots
home, wheels, point = Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
slots.watch(lambda reached: os._exit(9) if reached == point else None)
if slots.trial(home) is None:
    slots.switch(home, slots.build(home, wheels), slots.doctor(home, Path("/nowhere")))
slots.starting(home)
sys.exit(slots.judge(home, slots.healthy(home, Path("/nowhere")), 0.2, 0.05) is not None)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A gateway of version 1 that runs in `a`."""
    folder = tmp_path / "opt"
    folder.mkdir()
    slots.switch(folder, slots.build(folder, wheels(tmp_path / "w1", "1")))
    return folder


def update(home: Path, to: Path, point: str = "") -> int:
    command = [sys.executable, "-I", "-c", DRIVER, SCRIPT, str(home), str(to), point]
    return subprocess.run(command, timeout=120, check=False).returncode


def starts(home: Path) -> str:
    """The gateway starts, as its unit does: what `current` is then says its version."""
    before = [sys.executable, "-I", SCRIPT, "starting", "--home", str(home)]
    subprocess.run(before, timeout=120, check=True, capture_output=True)
    command = [str(home / slots.CURRENT / "bin/python"), "-P", "-m", "gateway", "--version"]
    return subprocess.run(command, timeout=120, check=True, capture_output=True, text=True).stdout.split()[-1]


@pytest.mark.parametrize("point", slots.POINTS[:5])
def test_a_cut_on_the_way_to_a_version_that_is_well(home: Path, tmp_path: Path, point: str) -> None:
    """Killed at `point`, a gateway starts, old or new; the same update again ends with the new one, kept."""
    to = wheels(tmp_path / "w2", "2")
    assert update(home, to, point) == 9
    assert starts(home) == ("2" if point == "switched" else "1")
    assert update(home, to) == 0
    assert starts(home) == "2"
    assert slots.trial(home) is None
    assert [line["what"] for line in slots.lines(home)][-1] == "kept"


@pytest.mark.parametrize("point", slots.POINTS[4:])
def test_a_cut_on_the_way_to_a_version_that_is_sick(home: Path, tmp_path: Path, point: str) -> None:
    """Killed at `point`, a gateway starts; in the end the old one runs, and the record says why, once."""
    to = wheels(tmp_path / "w2", "2")
    sicken(home, "2")
    assert update(home, to, point) == 9
    assert starts(home) in ("1", "2")
    if slots.lines(home)[-1]["what"] != "returned":
        assert update(home, to) == 1
    assert starts(home) == "1"
    assert slots.trial(home) is None
    (line,) = [line for line in slots.lines(home) if line["what"] == "returned"]
    assert line["why"].startswith("version 2 was not well after 0.2 s: No gateway runs")


def test_a_version_that_does_not_stay_up_is_left(home: Path, tmp_path: Path) -> None:
    """Nobody judges it, for the machine keeps restarting: after four starts the old one is back, and stays."""
    slots.switch(home, slots.build(home, wheels(tmp_path / "w2", "2")))
    assert [starts(home) for _ in range(slots.STARTS + 2)] == ["2"] * slots.STARTS + ["1"] * 2
    assert slots.lines(home)[-1]["why"] == "version 2 did not stay up in 4 starts"


@pytest.mark.parametrize("sick", [False, True])
def test_the_judge_of_the_unit(home: Path, tmp_path: Path, sick: bool) -> None:
    """It looks and writes nothing; its exit status, handed to root's command, keeps or leaves. A crash does neither."""

    def script(*words: str) -> int:
        command = [sys.executable, "-I", SCRIPT, *words, "--home", str(home)]
        return subprocess.run(command, timeout=120, capture_output=True, check=False).returncode

    slots.switch(home, slots.build(home, wheels(tmp_path / "w2", "2")), slots.doctor(home, CONFIG))
    if sick:
        sicken(home, "2")
    assert script("verdict", "--status", "2") == 0
    assert script("look", "--deadline", "0") == sick
    assert slots.trial(home) is not None
    assert script("verdict", "--status", str(int(sick))) == (3 if sick else 0)
    assert (slots.trial(home), starts(home)) == (None, "1" if sick else "2")


def test_the_store_of_before_comes_back(home: Path, tmp_path: Path) -> None:
    """A version that changed the store for good is left: the copy is in place, what the new one wrote beside it."""
    store, copy = tmp_path / "outbox.db", tmp_path / "copy.db"
    store.write_text("new form")
    (tmp_path / "outbox.db-wal").write_text("new form too")
    copy.write_text("old form")
    slots.switch(home, slots.build(home, wheels(tmp_path / "w2", "2")), [], [(str(copy), str(store))])
    slots.back(home, "sick")
    assert (store.read_text(), (tmp_path / "outbox.db.newer").read_text()) == ("old form", "new form")
    assert not (tmp_path / "outbox.db-wal").exists()


def test_what_is_wrong_with_wheels_changes_nothing(home: Path, tmp_path: Path) -> None:
    """A folder without pip, a gateway that does not say its version: a sentence, and the free slot is empty."""
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(slots.SlotError, match="no folder of wheels"):
        slots.build(home, empty)
    broken = wheels(tmp_path / "broken", "3")
    next(broken.glob("gewu*")).unlink()
    with pytest.raises(slots.SlotError, match="could not make the environment"):
        slots.build(home, broken)
    assert not (home / "b").exists()
    assert starts(home) == "1"


def test_the_packages_script(tmp_path: Path) -> None:
    """`install` makes the first environment, says so when it is there already, and refuses rubbish with status 1."""

    def install(folder: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", SCRIPT, "install", "--home", str(tmp_path / "opt"), "--wheels", str(folder)]
        return subprocess.run([*command, "--config", str(CONFIG)], capture_output=True, text=True, check=False)

    to = wheels(tmp_path / "w1", "1")
    assert "gewu 1 is in" in install(to).stdout
    assert "no change" in install(to).stdout
    assert "gewu 2 is in" in install(wheels(tmp_path / "w2", "2")).stdout
    refused = install(tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert starts(tmp_path / "opt") == "2"
