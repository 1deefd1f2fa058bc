"""`gewu rig` as a technician types it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

SITE = '[[bus]]\nname = "n"\n[[bus.board]]\nid = "b1"\naddress = 1\n[[bus.board]]\nid = "f1"\nfresh = true\n'


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder of the test's own, so that no other rig is found."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "site.toml").write_text(SITE, encoding="utf-8")
    return tmp_path


def gewu(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", "rig", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def start(place: Path) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    rig = subprocess.Popen(
        [sys.executable, "-m", "gateway", "rig", "up", str(place / "site.toml"), "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert rig.stdout is not None
    text = ""
    for line in rig.stdout:
        text += line
        if line == "}\n":
            return rig, json.loads(text)
    raise AssertionError(f"the rig ended with {rig.wait()}: {text}")


@pytest.fixture
def rig(place: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process, document = start(place)
    assert process.stdout is not None
    yield process, document
    process.kill()
    process.wait()
    process.stdout.close()


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/exe").exists() for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_up_inject_and_down(rig: tuple[subprocess.Popen[str], dict[str, Any]]) -> None:
    """One document on stdout; inject and fault find the rig; SIGTERM ends it with 0 and every child with it."""
    process, document = rig
    assert set(document["boards"][0]) >= {"id", "bus", "address", "usb", "bootloader", "pid"}
    assert set(document["buses"][0]) >= {"name", "port", "baud"}
    pids = [board["pid"] for board in document["boards"]]
    assert gewu("inject", "b1", "handle=0", "voltage=231").returncode == 0
    assert gewu("fault", "n", "noise=0.01", "--json").returncode == 0
    assert json.loads(gewu("state", "--json").stdout)["boards"][0]["closed"] is False
    for wrong in (["inject", "b1", "amps=3"], ["inject", "b7", "current=3"], ["inject", "b1", "current"]):
        done = gewu(*wrong)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert gone(pids)
    assert not Path(document["rig"]).exists()


def test_boards_end_with_a_rig_that_is_killed(rig: tuple[subprocess.Popen[str], dict[str, Any]]) -> None:
    """SIGKILL leaves the rig no word; its boards end all the same, and the next command finds no rig."""
    process, document = rig
    process.kill()
    process.wait()
    assert gone([board["pid"] for board in document["boards"]])
    done = gewu("inject", "b1", "current=1")
    assert done.returncode == 2
    assert "gewu rig up" in done.stderr


def test_several_rigs_need_a_choice(place: Path, rig: tuple[subprocess.Popen[str], dict[str, Any]]) -> None:
    """With two rigs a command asks which, and --rig says it."""
    second, document = start(place)
    assert second.stdout is not None
    done = gewu("inject", "b1", "current=1")
    assert (done.returncode, "--rig" in done.stderr) == (2, True)
    assert gewu("inject", "b1", "current=1", "--rig", document["rig"]).returncode == 0
    second.send_signal(signal.SIGINT)
    assert second.wait(timeout=10) == 0
    second.stdout.close()


def test_a_wrong_site_file_is_a_sentence(place: Path) -> None:
    """Exit 2, one sentence with file and key, nothing on stdout, no rig folder left."""
    (place / "site.toml").write_text('[[bus]]\nname = "n"\nbuad = 9600\n', encoding="utf-8")
    done = gewu("up", str(place / "site.toml"), "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "site.toml" in done.stderr
    assert "buad" in done.stderr
    assert not list(place.glob("gewu-rig/*"))
    assert [path.name for path in place.iterdir() if path.name != "gewu-rig"] == ["site.toml"]
